"""What a STOW-RS request is answered with: a status, and the Store Instances Response in DICOM JSON or XML.

Where the request itself was malformed or too large, its status says so even if instances were stored before
that: the sender must not take it for done. Sending an instance again does no harm.
Source: PS3.18 section 10.5.3, tables 10.5.3-1, I.2-1 and I.2-2, annex F; PS3.19 annex A.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from karnak.gateway.receive.stow_request import Failed, FailureReason, Stored, StowOutcome

JSON, XML = "application/dicom+json", "application/dicom+xml"
# What may be asked for, and what is answered.
_ACCEPTED = {JSON: JSON, XML: XML, "application/json": "application/json", "application/*": JSON, "*/*": JSON}
_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_RETRIEVE_URL, _REFERENCED_CLASS, _REFERENCED_INSTANCE = "00081190", "00081150", "00081155"
_FAILURE_REASON, _FAILED, _STORED, _OTHERS = "00081197", "00081198", "00081199", "0008119A"
_KEYWORDS = {
    _RETRIEVE_URL: "RetrieveURL",
    _REFERENCED_CLASS: "ReferencedSOPClassUID",
    _REFERENCED_INSTANCE: "ReferencedSOPInstanceUID",
    _FAILURE_REASON: "FailureReason",
    _FAILED: "FailedSOPSequence",
    _STORED: "ReferencedSOPSequence",
    _OTHERS: "OtherFailuresSequence",
}

# A data set in the DICOM JSON model (PS3.18 annex F).
DataSet = Mapping[str, Mapping[str, Any]]


def choose_media_type(accept: str | None) -> str | None:
    """Choose the media type of the answer by an Accept header, or None where nothing fits (RFC 9110 section 12.5.1).

    Args:
        accept: value of the header, or None for anything.
    """
    best, weight = None, 0.0
    for wish in (accept or "*/*").split(","):
        kind, *parameters = (text.strip().lower() for text in wish.split(";"))
        quality = _quality(parameters)
        if kind in _ACCEPTED and quality > weight:
            best, weight = _ACCEPTED[kind], quality
    return best


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


def status_of(outcome: StowOutcome) -> int:
    """The HTTP status for what became of a request."""
    if outcome.fault is not None:
        return outcome.fault
    if not outcome.failed:
        return 200
    if outcome.stored:
        return 202
    if all(failed.too_large for failed in outcome.failed):
        return 413
    if any(failed.reason == FailureReason.OUT_OF_RESOURCES and not failed.too_large for failed in outcome.failed):
        return 503
    if all(failed.meta is None for failed in outcome.failed):
        return 400
    return 409


def response_of(outcome: StowOutcome) -> DataSet:
    """The Store Instances Response."""
    # Karnak is no archive: there is nowhere to retrieve from.
    response: dict[str, Mapping[str, Any]] = {_RETRIEVE_URL: {"vr": "UR"}}
    named = [failed for failed in outcome.failed if failed.meta is not None]
    others = [failed for failed in outcome.failed if failed.meta is None]
    if named:
        response[_FAILED] = _sequence([_reference(failed) | _reason(failed.reason) for failed in named])
    if outcome.stored:
        response[_STORED] = _sequence([_reference(stored) | {_RETRIEVE_URL: {"vr": "UR"}} for stored in outcome.stored])
    reasons = [failed.reason for failed in others]
    if outcome.fault is not None:
        reasons.append(FailureReason.PROCESSING_FAILURE)
    if reasons:
        response[_OTHERS] = _sequence([_reason(reason) for reason in reasons])
    return response


def to_xml(data_set: DataSet) -> bytes:
    """Write a data set of the DICOM JSON model in the Native DICOM Model."""
    root = ElementTree.Element("NativeDicomModel", {"xmlns": _NAMESPACE, "xml:space": "preserve"})
    _add(root, data_set)
    return b'<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root)


def _add(parent: ElementTree.Element, data_set: DataSet) -> None:
    for tag, element in data_set.items():
        attributes = {"tag": tag, "vr": element["vr"], "keyword": _KEYWORDS[tag]}
        attribute = ElementTree.SubElement(parent, "DicomAttribute", attributes)
        for number, value in enumerate(element.get("Value", ()), start=1):
            if element["vr"] == "SQ":
                _add(ElementTree.SubElement(attribute, "Item", number=str(number)), value)
            else:
                ElementTree.SubElement(attribute, "Value", number=str(number)).text = str(value)


def _sequence(items: Sequence[DataSet]) -> Mapping[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def _reference(result: Stored | Failed) -> dict[str, Mapping[str, Any]]:
    assert result.meta is not None
    return {
        _REFERENCED_CLASS: {"vr": "UI", "Value": [result.meta.sop_class_uid]},
        _REFERENCED_INSTANCE: {"vr": "UI", "Value": [result.meta.sop_instance_uid]},
    }


def _reason(reason: FailureReason) -> dict[str, Mapping[str, Any]]:
    return {_FAILURE_REASON: {"vr": "US", "Value": [int(reason)]}}
