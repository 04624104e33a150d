"""Association requests and acceptances, held against pynetdicom's reading and writing of them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context

from karnak.gateway.receive.associate import Context, MalformedRequest, Proposal, Request, accept, read_request
from karnak.gateway.receive.offer import is_service, takes
from tests.gateway.receive.door import COMMITMENT, CT, EXPLICIT, IMPLICIT, VERIFICATION, associate_request

JPEG, RETIRED_MIME, FIND = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.6.1", "1.2.840.10008.5.1.4.1.2.2.1"
titles = st.text("ABC xyz09_-", min_size=1, max_size=16).filter(lambda title: bool(title.strip()))
classes = st.sampled_from([CT, VERIFICATION, COMMITMENT, FIND, "1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.1.7"])
syntaxes = st.lists(
    st.sampled_from([EXPLICIT, IMPLICIT, JPEG, RETIRED_MIME, "1.2.3.4"]), min_size=1, max_size=4, unique=True
)
contexts = st.lists(st.tuples(classes, syntaxes), min_size=1, max_size=20)


def primitive(
    proposed: list[tuple[str, list[str]]], called: str = "KARNAK", calling: str = "CT01", maximum: int = 0
) -> A_ASSOCIATE:
    made = A_ASSOCIATE()
    made.application_context_name = UID("1.2.840.10008.3.1.1.1")
    made.called_ae_title, made.calling_ae_title = called, calling
    length = MaximumLengthNotification()
    length.maximum_length_received = maximum
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3.4")
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = window.maximum_number_operations_performed = 5
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid, role.scu_role, role.scp_role = UID(proposed[0][0]), True, True
    identity = UserIdentityNegotiation()
    identity.user_identity_type, identity.primary_field = 1, b"somebody"
    made.user_information = [length, implementation, window, role, identity]
    built = [build_context(sop_class, list(transfer)) for sop_class, transfer in proposed]
    for number, context in enumerate(built):
        context.context_id = 2 * number + 1
    made.presentation_context_definition_list = built
    return made


@given(contexts, titles, titles, st.sampled_from([0, 8, 16384, 0xFFFFFFFF]))
def test_a_request_is_read(proposed: list[tuple[str, list[str]]], called: str, calling: str, maximum: int) -> None:
    found = read_request(A_ASSOCIATE_RQ(primitive(proposed, called, calling, maximum)).encode())
    assert found == Request(
        True,
        called.strip(),
        calling.strip(),
        called.ljust(16).encode() + calling.ljust(16).encode(),
        "1.2.840.10008.3.1.1.1",
        tuple(
            Proposal(2 * number + 1, sop_class, tuple(transfer))
            for number, (sop_class, transfer) in enumerate(proposed)
        ),
        maximum,
    )


@given(contexts, st.sampled_from([0, 16384, 1 << 20]))
def test_an_acceptance_is_what_pynetdicom_reads(proposed: list[tuple[str, list[str]]], maximum: int) -> None:
    request = read_request(A_ASSOCIATE_RQ(primitive(proposed)).encode())
    acceptance = accept(request, is_service, takes, maximum)
    pdu = A_ASSOCIATE_AC()
    pdu.decode(acceptance.pdu)
    assert pdu.encode() == acceptance.pdu
    found = pdu.to_primitive()
    assert found.maximum_length_received == maximum
    assert (found.called_ae_title, found.calling_ae_title) == ("KARNAK", "CT01")
    results = found.presentation_context_definition_results_list
    assert [result.context_id for result in results] == [2 * number + 1 for number in range(len(proposed))]
    for result, (sop_class, transfer) in zip(results, proposed, strict=True):
        taken = [one for one in transfer if takes(sop_class, one)]
        expected = 3 if not is_service(sop_class) else 0 if taken else 4
        assert result.result == expected
        if expected == 0:
            assert result.transfer_syntax == [taken[0]]
            assert acceptance.contexts[result.context_id or 0] == Context(sop_class, taken[0])
        else:
            assert result.context_id not in acceptance.contexts


@pytest.mark.parametrize(
    ("sop_class", "syntax", "taken"),
    [
        (CT, JPEG, True),
        (CT, RETIRED_MIME, False),
        ("1.3.12.2.1107.5.9.1", EXPLICIT, True),
        (VERIFICATION, IMPLICIT, True),
        (COMMITMENT, EXPLICIT, True),
        (COMMITMENT, JPEG, False),
        (COMMITMENT, "1.2.840.10008.1.2.1.99", False),
        (FIND, IMPLICIT, False),
    ],
)
def test_what_is_taken(sop_class: str, syntax: str, taken: bool) -> None:
    assert (is_service(sop_class) and takes(sop_class, syntax)) is taken


FIXED = associate_request(CT)[:74]
CONTEXT = b"\x20\0\0\x0e\1\0\0\0" + b"\x30\0\0\x011" + b"\x40\0\0\x011"


def request(*items: bytes) -> bytes:
    body = FIXED[6:] + b"".join(items)
    return struct.pack(">BxL", 1, len(body)) + body


def test_the_least_request() -> None:
    found = read_request(request(CONTEXT))
    assert (found.proposals, found.maximum_pdu, found.application_context) == ((Proposal(1, "1", ("1",)),), 0, "")


@pytest.mark.parametrize(
    "items",
    [
        [],
        [CONTEXT, CONTEXT],
        [CONTEXT[:-1]],
        [CONTEXT + b"\x20\0"],
        [CONTEXT.replace(b"\1\0\0\0", b"\2\0\0\0")],
        [b"\x20\0\0\3\1\0\0"],
        # No abstract syntax, no transfer syntax, an empty one, one that is no text.
        [b"\x20\0\0\x09\1\0\0\0" + b"\x40\0\0\x011"],
        [b"\x20\0\0\x09\1\0\0\0" + b"\x30\0\0\x011"],
        [b"\x20\0\0\x0d\1\0\0\0" + b"\x30\0\0\x011" + b"\x40\0\0\0"],
        [CONTEXT[:-1] + b"\xff"],
        # An item within an item that runs over its end.
        [CONTEXT.replace(b"\x30\0\0\x01", b"\x30\0\0\x0a")],
        [CONTEXT, b"\x50\0\0\x08\x51\0\0\x05" + bytes(4)],
        [CONTEXT, b"\x50\0\0\x07\x51\0\0\x03" + bytes(3)],
        # A peer that takes nothing.
        [CONTEXT, b"\x50\0\0\x08\x51\0\0\x04\0\0\0\7"],
    ],
)
def test_what_is_no_request(items: list[bytes]) -> None:
    with pytest.raises(MalformedRequest):
        read_request(request(*items))


@given(st.integers(0, 10**4), st.binary(min_size=1, max_size=3))
def test_a_damaged_request_is_read_or_refused(at: int, damage: bytes) -> None:
    whole = A_ASSOCIATE_RQ(primitive([(CT, [EXPLICIT, IMPLICIT]), (VERIFICATION, [IMPLICIT])])).encode()
    at = 6 + at % (len(whole) - 6)
    try:
        found = read_request((whole[:at] + damage + whole[at + len(damage) :])[: len(whole)])
    except MalformedRequest:
        return
    acceptance = accept(found, is_service, takes, 0)
    assert int.from_bytes(acceptance.pdu[2:6], "big") == len(acceptance.pdu) - 6
