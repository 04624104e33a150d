"""Answers are read for UIDs and reasons alone, whatever somebody writes into them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.deliver.parcel import Delivered, Refused
from karnak.gateway.deliver.stow_response import Told, answer_of, read_answer

JSON, DICOM_XML = "application/dicom+json", "application/dicom+xml"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
  <DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence"><Item number="1">
    <DicomAttribute tag="00081155" vr="UI"><Value number="1">2.25.2</Value></DicomAttribute>
    <DicomAttribute tag="00081197" vr="US"><Value number="1">43264</Value></DicomAttribute>
  </Item></DicomAttribute>
  <DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence"><Item number="1">
    <DicomAttribute tag="00081155" vr="UI"><Value number="1">2.25.1</Value></DicomAttribute>
    <DicomAttribute tag="00081196" vr="US"/>
  </Item></DicomAttribute>
</NativeDicomModel>"""


def test_both_forms_say_the_same() -> None:
    told = Told({"2.25.1": None}, {"2.25.2": 0xA900})
    assert read_answer(f"{DICOM_XML}; charset=utf-8", XML.encode()) == told
    document = {
        "00081198": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["2.25.2"]},
                                            "00081197": {"vr": "US", "Value": [43264]}}]},
        "00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["2.25.1"]}, "00081196": {"vr": "US"}}]},
    }  # fmt: skip
    assert read_answer(JSON, json.dumps(document).encode()) == told
    assert read_answer("Application/JSON", json.dumps([document]).encode()) == told


@pytest.mark.parametrize("reason", ["0111", 273.0, "273", " 273"])
def test_numbers_may_be_texts(reason: object) -> None:
    document = {"00081198": {"Value": [{"00081155": {"Value": ["1.2"]}, "00081197": {"Value": [reason]}}]}}
    found = read_answer(JSON, json.dumps(document).encode()).failed["1.2"]
    assert found == (111 if reason == "0111" else 273)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (JSON, b""),
        (JSON, b"{"),
        (JSON, b"[" * 100_000),
        (JSON, b"\xff\xfe"),
        (JSON, b'"DOE^JANE"'),
        (JSON, b'{"00081199": 7}'),
        (JSON, b'{"00081199": {"Value": 7}}'),
        (JSON, b'{"00081199": {"Value": [7]}}'),
        (JSON, b'{"00081199": {"Value": [{"00081155": 5}]}}'),
        (JSON, b'{"00081199": {"Value": [{"00081155": {"Value": {"a": 1}}}]}}'),
        (JSON, b'{"00081199": {"Value": [{"00081155": {"Value": ["DOE^JANE"]}}]}}'),
        (DICOM_XML, b"<a><b></a>"),
        (DICOM_XML, b"<?xml version='1.0' encoding='klingon'?><a/>"),
        (DICOM_XML, b'<!DOCTYPE a [<!ENTITY b "DOE^JANE">]><a>&b;</a>'),
        (DICOM_XML, XML.replace("<Native", '<!DOCTYPE a [<!ENTITY b "c">]><Native').encode()),
        (DICOM_XML, XML.replace("DicomAttribute", "Attribute").encode()),
        ("text/html", b"<html>DOE^JANE</html>"),
        ("", XML.encode()),
    ],
)
def test_what_can_not_be_read_says_nothing(media_type: str, body: bytes) -> None:
    assert read_answer(media_type, body) == Told()
    assert answer_of(200, Told(), "1.2") == Delivered()
    assert answer_of(202, Told(), "1.2") == Refused("the service answered 202 (Accepted) and did not say why")


keys = st.sampled_from(["00081198", "00081199", "00081155", "00081197", "00081196", "Value", "vr"])
leaves = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["1.2", "2.25.1"]))
documents = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@given(st.one_of(st.binary(max_size=60), documents.map(lambda document: json.dumps(document).encode())),
       st.sampled_from([JSON, DICOM_XML, "text/plain"]), st.sampled_from([200, 202, 400, 409]))  # fmt: skip
def test_no_answer_stops_us_and_none_delivers_what_it_does_not_name(body: bytes, media_type: str, status: int) -> None:
    told = read_answer(media_type, body)
    assert told.stored.keys() | told.failed.keys() <= {"1.2", "2.25.1"} | {
        uid for uid in told.stored.keys() | told.failed.keys() if set(uid) <= set("0123456789.")
    }
    answer = answer_of(status, told, "1.3.5.7.9")
    assert isinstance(answer, Delivered) == (status == 200 and not told)


def test_a_failure_outweighs_a_success() -> None:
    told = Told({"1.2": None}, {"1.2": 0x0110})
    assert answer_of(200, told, "1.2") == Refused(
        "the service did not store the instance: reason 0110H (processing failure)"
    )
    assert answer_of(409, Told({}, {"1.2": 0x0111}), "1.2") == Delivered("the service has had this instance already")
