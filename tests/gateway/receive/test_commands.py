"""Command sets, held against pydicom's and pynetdicom's reading and writing of them."""

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pynetdicom.dsutils import decode, encode

from karnak.gateway.receive.commands import (
    Command,
    Field,
    InvalidCommand,
    Status,
    answer_to,
    event_report,
    is_uid,
    parse_command,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
uids = st.lists(st.integers(0, 10**8), min_size=2, max_size=6).map(lambda parts: ".".join(map(str, parts)))
comments = st.text("abc XYZ 0129 .,", max_size=100).map(str.strip)


def encoded(**attributes: object) -> bytes:
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    written = encode(made, True, True)
    assert written is not None
    return written


def read(command: bytes) -> Dataset:
    found = decode(BytesIO(command), True, True)
    assert found.CommandGroupLength == len(command) - 12
    return found


@given(uids, uids, st.integers(0, 0xFFFF), st.booleans())
def test_a_store_request_is_read(sop_class: str, sop_instance: str, message_id: int, has_data_set: bool) -> None:
    command = encoded(
        CommandGroupLength=0,
        AffectedSOPClassUID=sop_class,
        CommandField=1,
        MessageID=message_id,
        Priority=0,
        CommandDataSetType=1 if has_data_set else 0x0101,
        AffectedSOPInstanceUID=sop_instance,
        MoveOriginatorApplicationEntityTitle="PACS",
        MoveOriginatorMessageID=7,
    )
    assert parse_command(command) == Command(1, message_id, has_data_set, sop_class, sop_instance)


def test_an_action_request_is_read() -> None:
    command = encoded(
        RequestedSOPClassUID="1.2.840.10008.1.20.1",
        CommandField=0x0130,
        MessageID=9,
        CommandDataSetType=0x0102,
        RequestedSOPInstanceUID="1.2.840.10008.1.20.1.1",
        ActionTypeID=1,
    )
    assert parse_command(command) == Command(
        Field.N_ACTION, 9, True, "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1", action_type=1
    )


def test_a_response_is_read() -> None:
    command = encoded(CommandField=0x8100, MessageIDBeingRespondedTo=3, CommandDataSetType=0x0101, Status=0x0110)
    found = parse_command(command)
    assert (found.is_response, found.message_id, found.status) == (True, 3, 0x0110)


def test_a_cancel_names_what_it_cancels() -> None:
    command = encoded(CommandField=0x0FFF, MessageIDBeingRespondedTo=3, CommandDataSetType=0x0101)
    assert parse_command(command) == Command(Field.C_CANCEL, 3, False)


@given(uids, uids, st.integers(0, 0xFFFF), st.sampled_from(Status), comments)
def test_a_store_response_is_what_pydicom_reads(
    sop_class: str, sop_instance: str, message_id: int, status: Status, comment: str
) -> None:
    answer = read(answer_to(Command(1, message_id, True, sop_class, sop_instance), status, comment))
    assert answer.AffectedSOPClassUID == sop_class
    assert answer.AffectedSOPInstanceUID == sop_instance
    assert answer.CommandField == 0x8001
    assert answer.MessageIDBeingRespondedTo == message_id
    assert answer.CommandDataSetType == 0x0101
    assert answer.Status == status
    assert (answer.get("ErrorComment") or "").rstrip(" ") == comment[:64].rstrip(" ")


def test_an_echo_response_to_the_byte() -> None:
    request = Command(0x0030, 7, False, "1.2.840.10008.1.1")
    assert answer_to(request, 0) == bytes.fromhex(
        "0000 0000 04000000 42000000"
        "0000 0200 12000000" + b"1.2.840.10008.1.1\0".hex() + "0000 0001 02000000 3080"
        "0000 2001 02000000 0700"
        "0000 0008 02000000 0101"
        "0000 0009 02000000 0000"
    )


def test_an_action_response_names_the_action() -> None:
    answer = read(answer_to(Command(Field.N_ACTION, 1, True, "1.2", "1.2.3", action_type=1), Status.NO_SUCH_ACTION))
    assert (answer.CommandField, answer.ActionTypeID, answer.Status) == (0x8130, 1, 0x0123)


def test_an_event_report_is_what_pydicom_reads() -> None:
    report = read(event_report(5, "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1", 2))
    assert report.AffectedSOPClassUID == "1.2.840.10008.1.20.1"
    assert report.AffectedSOPInstanceUID == "1.2.840.10008.1.20.1.1"
    assert (report.CommandField, report.MessageID, report.EventTypeID) == (0x0100, 5, 2)
    assert report.CommandDataSetType != 0x0101


def element(number: int, value: bytes, group: int = 0, length: int | None = None) -> bytes:
    return struct.pack("<HHL", group, number, len(value) if length is None else length) + value


FIELD = element(0x0100, b"\1\0")
MESSAGE_ID = element(0x0110, b"\1\0")
TYPE = element(0x0800, b"\1\1")


@pytest.mark.parametrize(
    "command",
    [
        b"",
        FIELD + MESSAGE_ID,
        MESSAGE_ID + TYPE,
        FIELD + TYPE,
        MESSAGE_ID + FIELD + TYPE,
        FIELD + FIELD + MESSAGE_ID + TYPE,
        FIELD + MESSAGE_ID + TYPE + b"\0",
        FIELD + MESSAGE_ID + element(0x0800, b"\1\1", length=3),
        FIELD + MESSAGE_ID + element(0x0800, b"\1\1", length=0xFFFFFFFF),
        element(0x0100, b"\1") + MESSAGE_ID + TYPE,
        element(0x0100, b"\1\0\0\0") + MESSAGE_ID + TYPE,
        FIELD + MESSAGE_ID + element(0x0800, b"\1\1", group=8),
        element(0x0002, b"1.2.\xff9") + FIELD + MESSAGE_ID + TYPE,
    ],
)
def test_what_is_no_command_set_is_refused(command: bytes) -> None:
    with pytest.raises(InvalidCommand):
        parse_command(command)


@given(st.binary(max_size=80))
def test_noise_is_refused_or_read(noise: bytes) -> None:
    try:
        parse_command(noise)
    except InvalidCommand:
        return
    assert len(noise) >= 30


@given(st.integers(0, 100))
def test_no_prefix_of_a_command_set_is_one(length: int) -> None:
    whole = FIELD + MESSAGE_ID + TYPE
    if length < len(whole):
        with pytest.raises(InvalidCommand):
            parse_command(whole[:length])


@pytest.mark.parametrize(
    ("text", "fits"),
    [(CT, True), ("1.02.3", True), ("1" * 64, True), ("1" * 65, False), ("", False), ("1.2.x", False), ("1 2", False)],
)
def test_uids(text: str, fits: bool) -> None:
    assert is_uid(text) is fits
