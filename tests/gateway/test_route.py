"""Who may call, and which destination is to have which instance."""

from collections.abc import Sequence

import pytest

from karnak.errors import KarnakError
from karnak.gateway.deliver.parcel import Answer, Parcel
from karnak.gateway.route import Caller, ForwardNode, Outlet, Refusal, Sender, exclusion_of, find_node, refusal_of
from karnak.ir.expression import BOOL, INT, STR, TAG, Binary, BinaryOperator, Call, Expression, Literal
from karnak.runtime.part10 import Instance, read_instance
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

CT = "1.2.840.10008.5.1.4.1.1.2"
MODALITY = 0x00080060


class Nowhere:
    """A destination that nothing reaches in these tests."""

    at_once = parallel = 1

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError


def outlet(condition: Expression | None = None, sop_classes: frozenset[str] = frozenset()) -> Outlet:
    return Outlet("archive", Nowhere(), None, condition, sop_classes)


NODES = (
    ForwardNode("OPEN", None, (outlet(),)),
    ForwardNode("TRIAL1", (Sender("CT01", None), Sender("MR01", "mr01.example"), Sender("MR01", "10.0.0.9")), ()),
)
HOSTS = {"mr01.example": "10.0.0.7", "10.0.0.9": "10.0.0.9"}


def is_host(address: str, host: str) -> bool:
    return HOSTS.get(host) == address


def never_asked(address: str, host: str) -> bool:
    raise AssertionError


@pytest.mark.parametrize(
    ("called", "calling", "address", "refusal"),
    [
        ("OPEN", "ANYBODY", "10.9.9.9", None),
        ("TRIAL1", "CT01", "10.9.9.9", None),
        ("TRIAL1", "MR01", "10.0.0.7", None),
        ("TRIAL1", "MR01", "10.0.0.9", None),
        ("TRIAL1", "MR01", "10.0.0.8", Refusal.CALLING_AE_TITLE),
        ("TRIAL1", "US01", "10.0.0.7", Refusal.CALLING_AE_TITLE),
        ("TRIAL1", "ct01", "10.0.0.7", Refusal.CALLING_AE_TITLE),
        ("TRIAL2", "CT01", "10.0.0.7", Refusal.CALLED_AE_TITLE),
        ("open", "CT01", "10.0.0.7", Refusal.CALLED_AE_TITLE),
        ("", "CT01", "10.0.0.7", Refusal.CALLED_AE_TITLE),
    ],
)
def test_refusals(called: str, calling: str, address: str, refusal: Refusal | None) -> None:
    assert refusal_of(NODES, Caller(called, calling, address), is_host) is refusal


def test_a_host_is_looked_up_only_where_it_is_checked() -> None:
    assert refusal_of(NODES, Caller("TRIAL1", "CT01", "10.0.0.1"), never_asked) is None
    assert refusal_of(NODES, Caller("TRIAL1", "US01", "10.0.0.1"), never_asked) is Refusal.CALLING_AE_TITLE


def test_the_reasons_are_those_of_the_standard() -> None:
    # PS3.8 section 9.3.4: source 1, reasons 3 and 7.
    assert (Refusal.CALLING_AE_TITLE.value, Refusal.CALLED_AE_TITLE.value) == (3, 7)


def test_find_node() -> None:
    assert find_node(NODES, "TRIAL1") is NODES[1]
    assert find_node(NODES, "TRIAL") is None


def secondary_capture() -> Instance:
    return read_instance(dataset_bytes(SOPClassUID=SECONDARY_CAPTURE, Modality="OT"), "1.2.840.10008.1.2.1")


def modality_is(value: str) -> Expression:
    return Call("tagValueIsPresent", (Literal(MODALITY, TAG), Literal(value, STR)), BOOL)


def test_sop_classes() -> None:
    assert exclusion_of(outlet(sop_classes=frozenset({SECONDARY_CAPTURE, CT})), secondary_capture()) is None
    reason = exclusion_of(outlet(sop_classes=frozenset({CT})), secondary_capture())
    assert reason == "the destination does not take Secondary Capture Image Storage"
    without = read_instance(dataset_bytes(Modality="OT"), "1.2.840.10008.1.2.1")
    assert exclusion_of(outlet(sop_classes=frozenset({CT})), without) == "the destination does not take this SOP Class"


def test_condition() -> None:
    assert exclusion_of(outlet(modality_is("OT")), secondary_capture()) is None
    assert exclusion_of(outlet(modality_is("CT")), secondary_capture()) == "the destination's condition does not hold"


def test_a_condition_that_fails_is_an_error_not_a_no() -> None:
    division = Binary(BinaryOperator.DIVIDE, Literal(1, INT), Literal(0, INT), INT)
    condition = Binary(BinaryOperator.EQUAL, division, Literal(1, INT), BOOL)
    with pytest.raises(KarnakError):
        exclusion_of(outlet(condition), secondary_capture())
