"""Private creators follow their block, and private elements are named by their creator (sections 1 and 3.5)."""

import pytest

from karnak.ir.profile import Effect, Rule
from karnak.testing.specimen import Leaf, Specimen, leaf, sequence
from tests.runtime.making import D, K, U, X, Z, after, leaves, raw, rule, run, specimen

ACME, OTHER = leaf(0x00290010, "ACME", "LO"), leaf(0x00290011, "OTHER", "LO")
A1, A2 = leaf(0x00291001, "a1", "LO"), leaf(0x00291002, "a2", "LO")
B1 = leaf(0x00291101, "b1", "LO")
MADE = specimen(ACME, OTHER, A1, A2, B1)


def left(made: Specimen, *rules: Rule) -> set[str]:
    """The private elements that are left at the root."""
    return {path for path in leaves(after(made, *rules)) if path.startswith("0029")}


def test_a_creator_stays_while_an_element_of_its_block_stays() -> None:
    assert left(MADE, rule(X, "00291001")) == {"00290010", "00290011", "00291002", "00291101"}


def test_a_creator_goes_with_the_last_element_of_its_block() -> None:
    assert left(MADE, rule(X, "002910XX")) == {"00290011", "00291101"}
    assert left(MADE, rule(X, private=True)) == set()


def test_a_rule_on_the_creator_does_not_take_it_from_its_elements() -> None:
    assert left(MADE, rule(X, "00290010")) == {"00290010", "00290011", "00291001", "00291002", "00291101"}


def test_keeping_the_creator_does_not_keep_it_without_elements() -> None:
    assert left(MADE, rule(K, "00290010"), rule(X, private=True)) == set()


@pytest.mark.parametrize("effect", [Z, D, U])
def test_a_creator_is_never_emptied_or_replaced(effect: Effect) -> None:
    found = after(MADE, rule(effect, "0029XXXX"))
    assert raw(found, 0x00290010) == b"ACME"
    assert raw(found, 0x00290011) == b"OTHER "
    assert raw(found, 0x00291001) != A1.value


def test_an_emptied_element_still_needs_its_creator() -> None:
    assert "00290010" in left(MADE, rule(Z, "00291001", "00291002"))


@pytest.mark.parametrize(("effect", "stays"), [(X, False), (Z, False), (D, False), (K, True)])
def test_a_creator_without_elements_is_kept_or_goes_but_is_never_changed(effect: Effect, stays: bool) -> None:
    lonely = specimen(ACME)
    assert left(lonely, rule(effect, "0029XXXX")) == ({"00290010"} if stays else set())
    assert raw(after(lonely), 0x00290010) == b"ACME"


def test_creators_in_items_follow_the_blocks_of_their_item() -> None:
    made = specimen(sequence("RequestAttributesSequence", [ACME, A1, OTHER, B1], [ACME, A1]), OTHER, B1)
    found = leaves(after(made, rule(X, '(0029,"ACME",01)')))
    private = {path for path in found if "0029" in path}
    assert private == {"00400275[0]/00290011", "00400275[0]/00291101", "00290011", "00291101"}


def test_the_creators_of_an_inherited_dummy_stay_readable() -> None:
    made = specimen(sequence("RequestAttributesSequence", [ACME, A1]))
    found = leaves(after(made, rule(D, "RequestAttributesSequence")))
    assert found["00400275[0]/00290010"] == b"ACME"
    assert found["00400275[0]/00291001"] == b"UNKNOWN "


def test_an_element_is_named_by_its_creator_wherever_its_block_lies() -> None:
    here = specimen(ACME, A1, A2, OTHER, B1)
    there = specimen(leaf(0x002900F0, "ACME", "LO"), leaf(0x0029F001, "a1", "LO"), ACME, A1)
    assert left(here, rule(X, '(0029,"ACME",01)')) == {"00290010", "00290011", "00291002", "00291101"}
    assert left(there, rule(X, '(0029,"ACME",01)')) == set()


@pytest.mark.parametrize("value", [b"ACME", b"ACME  ", b" ACME\0", b"ACME\0\0"])
def test_padding_of_a_creator_does_not_count(value: bytes) -> None:
    made = specimen(Leaf(0x00290010, "LO", value), A1)
    assert left(made, rule(X, '(0029,"ACME",01)')) == set()


@pytest.mark.parametrize("value", [b"acme", b"ACME2 ", b"", b"  "])
def test_another_creator_is_another_creator(value: bytes) -> None:
    made = specimen(Leaf(0x00290010, "LO", value), A1)
    assert "00291001" in left(made, rule(X, '(0029,"ACME",01)'))


def test_without_a_creator_an_element_has_no_name_but_its_number() -> None:
    made = specimen(A1, B1)
    assert left(made, rule(X, '(0029,"ACME",01)')) == {"00291001", "00291101"}
    assert left(made, rule(X, "00291001")) == {"00291101"}


def test_the_creator_of_an_item_does_not_hold_for_the_root() -> None:
    made = specimen(sequence("RequestAttributesSequence", [ACME, A1]), A1)
    assert set(leaves(after(made, rule(X, '(0029,"ACME",01)')))) >= {"00291001"}


def test_a_private_element_is_more_specific_than_a_pattern_of_its_group() -> None:
    assert "00291001" in left(MADE, rule(X, "0029XXXX", exclude=['(0029,"ACME",01)']))
    assert "00291001" not in left(MADE, rule(X, '(0029,"ACME",01)', exclude=["0029XXXX"]))


def test_a_sequence_where_a_creator_should_be_is_a_sequence() -> None:
    made = specimen(sequence(0x00290010, [leaf("PatientName", "TOKEN")]), A1)
    data = run(made, rule(X, "PatientName")).data
    assert data is not None
    assert b"TOKEN" not in data
    assert left(made, rule(X, "00290010")) == {"00291001"}


def test_a_creator_that_was_sent_as_unknown_still_reserves() -> None:
    made = specimen(Leaf(0x00290010, "UN", b"ACME"), A1)
    assert left(made, rule(X, '(0029,"ACME",01)')) == set()


def test_elements_below_the_creators_are_elements_like_any_other() -> None:
    low = leaf(0x00290005, "x", "LO")
    assert left(specimen(low), rule(X, private=True)) == set()
    assert left(specimen(low)) == {"00290005"}
