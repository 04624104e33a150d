"""What a STOW-RS service says of each instance: its status, and the data set in its answer.

The data set is read from DICOM JSON or from the Native DICOM Model, and only its UIDs and reasons are;
nothing else of an answer goes anywhere. Source: PS3.18 section 10.5.3, table 10.5.3-1, annexes F and I; PS3.19 annex A.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from xml.etree import ElementTree

from karnak.gateway.deliver.messages import is_uid
from karnak.gateway.deliver.parcel import Answer, Delivered, Refused

# Tags of the Store Instances Response Module (PS3.18 table I.1-1).
_FAILED_SOP_SEQUENCE, _REFERENCED_SOP_SEQUENCE = "00081198", "00081199"
_SOP_INSTANCE_UID, _FAILURE_REASON, _WARNING_REASON = "00081155", "00081197", "00081196"
_SOP_INSTANCE = "00080018"
_DUPLICATE = 0x0111
# Reasons that PS3.18 table I.2-1 and I.2-2 list; a letter x stands for any digit.
_REASONS: Mapping[int, str] = {
    0x0110: "processing failure",
    0x0112: "no such SOP Instance",
    0x0122: "SOP Class not supported",
    0x0124: "not authorized",
    0xC122: "transfer syntax not supported",
    0xB000: "coercion of data elements",
    0xB006: "elements discarded",
    0xB007: "data set doesn't match SOP Class",
}
_GROUPS: Mapping[int, str] = {0xA700: "out of resources", 0xA900: "data set doesn't match SOP Class"}


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of instances.

    Attributes:
        stored: SOP Instance UIDs that the service has, each with the reason of a warning or None.
        failed: those that it hasn't, each with the reason or None.
    """

    stored: Mapping[str, int | None] = field(default_factory=dict)
    failed: Mapping[str, int | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stored or self.failed)


def read_answer(content_type: str, body: bytes) -> Told:
    """Read the data set of an answer; one that can't be read says nothing.

    Args:
        content_type: value of the header of that name.
        body: all of it.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind.endswith("json"):
            return _told(_from_json(json.loads(body)))
        if kind.endswith("xml"):
            return _told(_from_xml(body))
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, ElementTree.ParseError):
        # Whatever a reader stumbles over, the service sent it.
        return Told()
    return Told()


def lists_instance(content_type: str, body: bytes, sop_instance_uid: str) -> bool:
    """Tell whether the answer to a search lists an instance (PS3.18 section 10.6.3); one that can't be read doesn't.

    Args:
        content_type: value of the header of that name.
        body: all of it.
        sop_instance_uid: of the instance.
    """
    if not content_type.partition(";")[0].strip().lower().endswith("json"):
        return False
    try:
        found = [data_set[_SOP_INSTANCE]["Value"][0] for data_set in json.loads(body)]
    except (ValueError, TypeError, LookupError, RecursionError):
        return False
    return sop_instance_uid in found


def answer_of(status: int, told: Told, sop_instance_uid: str) -> Answer:
    """Tell what became of one instance of a request.

    Args:
        status: HTTP status: 200, or one that says that not everything was stored.
        told: what the answer's data set says.
        sop_instance_uid: of the instance.
    """
    if sop_instance_uid in told.failed:
        reason = told.failed[sop_instance_uid]
        if reason == _DUPLICATE:
            return Delivered("the service has had this instance already")
        return Refused(f"the service did not store the instance: {_reason(reason)}")
    if sop_instance_uid in told.stored:
        warning = told.stored[sop_instance_uid]
        return Delivered(None if warning is None else f"the service warns: {_reason(warning)}")
    if status == HTTPStatus.OK:
        # PS3.18 table 10.5.3-1: all instances were stored. One that lists others and not this one says otherwise.
        return Refused("the service's answer leaves the instance out") if told else Delivered()
    return Refused(f"the service answered {named(status)} and did not say why")


def named(status: int) -> str:
    """Name an HTTP status in words of the standard, not of the service."""
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


def _reason(code: int | None) -> str:
    if code is None:
        return "no reason is given"
    meaning = _REASONS.get(code) or _GROUPS.get(code & 0xFF00) or ("cannot understand" if code >> 12 == 0xC else None)
    return f"reason {code:04X}H" + (f" ({meaning})" if meaning else "")


# An item: tags with their values, of which at least one is text.
_Item = Mapping[str, str]


def _told(items: Iterator[tuple[str, _Item]]) -> Told:
    stored: dict[str, int | None] = {}
    failed: dict[str, int | None] = {}
    for tag, item in items:
        uid = item.get(_SOP_INSTANCE_UID, "").strip(" \0")
        if not is_uid(uid):
            continue
        if tag == _FAILED_SOP_SEQUENCE:
            failed[uid] = _number(item.get(_FAILURE_REASON))
        else:
            stored[uid] = _number(item.get(_WARNING_REASON))
    return Told(stored, failed)


def _number(text: str | None) -> int | None:
    try:
        number = int(float(text)) if text else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and 0 <= number <= 0xFFFF else None


def _from_json(document: Any) -> Iterator[tuple[str, _Item]]:
    """Go through the items of both sequences (PS3.18 section F.2)."""
    for data_set in document if isinstance(document, list) else [document]:
        for tag in (_FAILED_SOP_SEQUENCE, _REFERENCED_SOP_SEQUENCE):
            for item in data_set.get(tag, {}).get("Value", ()):
                values = {name: element.get("Value") or [""] for name, element in item.items()}
                yield tag, {name: str(value[0]) for name, value in values.items()}


def _from_xml(body: bytes) -> Iterator[tuple[str, _Item]]:
    """Go through the items of both sequences (PS3.19 section A.1)."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise ValueError("a document type has no place here")
    root = ElementTree.fromstring(body)
    for sequence in root:
        tag = sequence.get("tag", "").upper()
        if _local(sequence) != "DicomAttribute" or tag not in (_FAILED_SOP_SEQUENCE, _REFERENCED_SOP_SEQUENCE):
            continue
        for item in sequence:
            found = {}
            for element in item:
                value = next((one for one in element if _local(one) == "Value"), None)
                found[element.get("tag", "").upper()] = (value.text or "") if value is not None else ""
            yield tag, found


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
