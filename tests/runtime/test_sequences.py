"""Sequences and what is in them: section 3, clause 3, and the selectors that reach inside (section 1)."""

import pytest

from karnak.ir.expression import NULL, Literal
from karnak.ir.profile import Effect, Evaluate, Rule
from karnak.testing.expressions import call, text
from karnak.testing.specimen import IMPLICIT, Element, Leaf, Specimen, leaf, part10, sequence
from tests.runtime.making import (
    CT,
    PROJECT,
    D,
    K,
    U,
    X,
    Z,
    after,
    basic,
    leaves,
    output,
    raw,
    rule,
    run,
    specimen,
)

ID, NAME, COMMENT = leaf("StudyID", "7"), leaf("PatientName", "DOE^JANE"), leaf("PatientComments", "note")
INSIDE: tuple[Element, ...] = (NAME, COMMENT, ID)
SEQUENCE = "RequestAttributesSequence"


def nested(*elements: Element, outer: str = SEQUENCE) -> Specimen:
    return specimen(sequence(outer, elements or INSIDE))


def inside(made: Specimen, *rules: Rule) -> dict[str, bytes] | None:
    """The first item of the sequence by tags, or None where the sequence is gone."""
    found = after(made, *rules)
    if 0x00400275 not in found:
        return None
    return {path.rpartition("/")[2]: value for path, value in leaves(found).items() if path.startswith("00400275[0]/")}


def test_a_sequence_decided_x_goes_whole() -> None:
    assert inside(nested(), rule(X, SEQUENCE), rule(K, "StudyID")) is None


def test_a_sequence_decided_z_is_emptied_whole() -> None:
    found = after(nested(), rule(Z, SEQUENCE), rule(K, "StudyID"))
    assert 0x00400275 in found
    assert len(found[0x00400275].value) == 0


def test_a_rule_before_x_cannot_save_what_is_inside() -> None:
    assert inside(nested(), rule(K, "StudyID"), rule(X, SEQUENCE)) is None


def test_an_undecided_sequence_lets_all_rules_in() -> None:
    found = inside(nested(), rule(X, "PatientName"), rule(Z, "StudyID"))
    assert found == {"00104000": b"note", "00200010": b""}


def test_a_kept_sequence_keeps_what_later_rules_would_take() -> None:
    found = inside(
        nested(), rule(K, SEQUENCE), rule(X, "PatientName"), rule(X, "0010XXXX", "0020XXXX", exclude=["PatientID"])
    )
    assert found == {"00100010": NAME.value, "00104000": b"note", "00200010": b"7 "}


def test_rules_before_the_one_that_kept_it_come_first_inside() -> None:
    found = inside(nested(), rule(X, "PatientName"), rule(K, SEQUENCE), rule(Z, "StudyID"))
    assert found == {"00104000": b"note", "00200010": b"7 "}


@pytest.mark.parametrize(
    ("effect", "name", "comment"),
    [(D, b"UNKNOWN ", b"UNKNOWN "), (K, NAME.value, COMMENT.value)],
)
def test_what_was_decided_is_inherited(effect: Effect, name: bytes, comment: bytes) -> None:
    found = inside(nested(), rule(effect, SEQUENCE))
    assert found is not None
    assert (found["00100010"], found["00104000"]) == (name, comment)


def test_a_new_uid_is_inherited_by_all_but_registered_uids() -> None:
    made = nested(leaf("ReferencedSOPClassUID", CT), leaf("ReferencedSOPInstanceUID", "1.2.9"), ID)
    found = inside(made, rule(U, SEQUENCE))
    assert found is not None
    assert found["00081150"] == CT.encode() + b"\0"
    assert found["00081155"].strip(b"\0") == PROJECT.uid("1.2.9").encode()
    assert found["00200010"].strip(b"\0") == PROJECT.uid("7").encode()


def test_the_rule_that_decided_the_sequence_is_asked_itself_before_it_is_inherited() -> None:
    # The basic profile has rows of its own for what is inside, and only they let anything be.
    dummy = leaf("CodeMeaning", "secret")
    made = nested(leaf("ReferencedSOPInstanceUID", "1.2.9"), dummy, outer="VerifyingObserverSequence")
    found = leaves(after(made, basic()))
    assert found["0040A073[0]/00081155"].strip(b"\0") == PROJECT.uid("1.2.9").encode()
    assert found["0040A073[0]/00080104"] == b"UNKNOWN "


def test_a_nested_sequence_that_nothing_decides_passes_the_inheritance_on() -> None:
    made = nested(sequence("ReferencedStudySequence", [NAME]), ID)
    found = inside(made, rule(D, SEQUENCE), rule(K))
    assert found == {"00100010": b"UNKNOWN ", "00200010": b"UNKNOWN "}


def test_a_nested_sequence_that_an_earlier_rule_decides_gets_an_inheritance_of_its_own() -> None:
    made = nested(sequence("ReferencedStudySequence", [NAME, COMMENT]), ID)
    found = inside(
        made, rule(X, "PatientName"), rule(K, "ReferencedStudySequence"), rule(D, SEQUENCE), rule(X, "PatientComments")
    )
    assert found == {"00104000": b"note", "00200010": b"UNKNOWN "}


def test_rules_after_the_deciding_one_never_apply_inside_at_any_depth() -> None:
    made = nested(sequence("ReferencedStudySequence", [sequence("ReferencedImageSequence", [NAME])]))
    found = inside(made, rule(K, SEQUENCE), rule(X, "PatientName"), rule(X, "ReferencedImageSequence"))
    assert found == {"00100010": NAME.value}


def test_each_item_is_walked() -> None:
    made = specimen(sequence(SEQUENCE, [NAME], [], [NAME, ID]))
    found = leaves(after(made, rule(D, "PatientName")))
    assert found["00400275[0]/00100010"] == found["00400275[2]/00100010"] == b"UNKNOWN "
    assert len(after(made, rule(D, "PatientName"))[0x00400275].value) == 3


def test_replacing_by_an_expression_is_inherited() -> None:
    found = inside(nested(), rule(Evaluate(call("Replace", text("x"))), SEQUENCE))
    assert found == {"00100010": b"x ", "00104000": b"x ", "00200010": b"x "}


@pytest.mark.parametrize("nothing", [Literal(None, NULL), text("")])
def test_replacing_a_sequence_by_nothing_empties_it_whole(nothing: Literal) -> None:
    # `Replace(null)` empties, and what is emptied is emptied whole.
    found = after(nested(), rule(Evaluate(call("Replace", nothing)), SEQUENCE))
    assert 0x00400275 in found
    assert len(found[0x00400275].value) == 0


def test_replace_null_and_remove_take_a_sequence_whole() -> None:
    emptied = after(nested(), rule(Evaluate(call("ReplaceNull")), SEQUENCE))
    assert len(emptied[0x00400275].value) == 0
    assert 0x00400275 not in after(nested(), rule(Evaluate(call("Remove")), SEQUENCE))


# --- selectors that reach inside ------------------------------------------------------------


def test_a_tag_is_selected_at_every_depth() -> None:
    made = specimen(NAME, sequence(SEQUENCE, [NAME, sequence("ReferencedStudySequence", [NAME])]))
    assert not any("00100010" in path for path in leaves(after(made, rule(X, "PatientName"))))


def test_a_path_selects_at_one_place_only() -> None:
    made = specimen(NAME, sequence(SEQUENCE, [NAME, sequence("ReferencedStudySequence", [NAME])]))
    kept = {path for path in leaves(after(made, rule(X, f"{SEQUENCE}/PatientName"))) if "00100010" in path}
    assert kept == {"00100010", "00400275[0]/00081110[0]/00100010"}
    deeper = rule(X, f"{SEQUENCE}/ReferencedStudySequence/PatientName")
    assert {path for path in leaves(after(made, deeper)) if "00100010" in path} == {"00100010", "00400275[0]/00100010"}


def test_a_path_that_begins_below_the_root_selects_nothing() -> None:
    made = nested(sequence("ReferencedStudySequence", [NAME]))
    assert inside(made, rule(X, "ReferencedStudySequence/PatientName")) == {"00100010": NAME.value}


def test_a_path_may_have_patterns_and_end_in_a_sequence() -> None:
    made = nested(sequence("ReferencedStudySequence", [NAME]), ID)
    assert inside(made, rule(X, "0040XXXX/0008XXXX")) == {"00200010": b"7 "}


def test_a_path_beats_a_tag_within_one_rule() -> None:
    made = specimen(NAME, sequence(SEQUENCE, [NAME]))
    found = leaves(after(made, rule(X, "PatientName", exclude=[f"{SEQUENCE}/PatientName"])))
    assert [path for path in found if "00100010" in path] == ["00400275[0]/00100010"]


def test_a_path_may_lead_through_a_private_sequence() -> None:
    private = sequence(0x00091102, [NAME, ID])
    made = specimen(leaf(0x00090011, "ACME", "LO"), private)
    found = leaves(after(made, rule(X, '(0009,"ACME",02)/PatientName')))
    assert "00091102[0]/00200010" in found
    assert "00091102[0]/00100010" not in found


# --- how sequences are written again --------------------------------------------------------


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("unknown", [False, True])
def test_a_sequence_that_changes_inside_keeps_its_way_of_telling_lengths(undefined: bool, unknown: bool) -> None:
    def made(*items: list[Element]) -> Specimen:
        return specimen(sequence(SEQUENCE, *items, undefined_length=undefined, unknown=unknown))

    outcome = run(made([NAME, ID], []), rule(Z, "PatientName"))
    assert outcome.data is not None
    expected = part10(made([Leaf(0x00100010, "PN", b""), ID], []))
    assert outcome.data[-60:] == expected[-60:]


def test_elements_inside_a_hidden_sequence_are_found() -> None:
    hidden = sequence(0x00091002, [NAME, sequence(SEQUENCE, [NAME])], unknown=True)
    made = specimen(leaf(0x00090010, "ACME", "LO"), hidden)
    data = run(made, rule(X, "PatientName")).data
    assert data is not None
    assert b"DOE" not in data


def test_a_hidden_sequence_of_undefined_length_is_found() -> None:
    hidden = sequence(0x00091002, [NAME, ID], undefined_length=True, unknown=True)
    made = specimen(leaf(0x00090010, "ACME", "LO"), hidden)
    data = run(made, rule(X, "PatientName")).data
    assert data is not None
    assert b"DOE" not in data


def test_values_in_a_hidden_sequence_are_little_endian_whatever_is_around() -> None:
    hidden = sequence(0x00091002, [leaf("Rows", 512)], unknown=True)
    big = Specimen(specimen(leaf(0x00090010, "ACME", "LO"), hidden).elements, "1.2.840.10008.1.2.2")
    replaced = run(big, rule(Evaluate(call("Replace", text("258"))), "Rows"))
    assert replaced.data is not None
    assert b"\x28\0\x10\0\x02\0\0\0\x02\x01" in replaced.data


def test_an_unknown_value_that_holds_no_items_stays_as_it_is() -> None:
    odd = Leaf(0x00091002, "UN", b"\xfe\xff\x00\xe0\x08\x00\x00\x00nonsense")
    made = specimen(leaf(0x00090010, "ACME", "LO"), odd)
    assert raw(after(made, rule(X, "PatientName")), 0x00091002) == odd.value


def test_implicit_sequences_are_walked() -> None:
    made = Specimen(nested().elements, IMPLICIT)
    found = leaves(output(run(made, rule(X, "PatientName"))))
    assert {path for path in found if path.startswith("00400275")} == {
        "00400275[0]/00104000",
        "00400275[0]/00200010",
    }


@pytest.mark.parametrize("value", [b"", b"JUNKJUNK"])
@pytest.mark.parametrize("effect", [D, U])
def test_a_sequence_sent_as_unknown_that_holds_no_items_never_becomes_a_broken_one(
    value: bytes, effect: Effect
) -> None:
    outcome = run(specimen(Leaf(0x00400275, "UN", value)), rule(effect, SEQUENCE))
    if outcome.data is not None:
        found = output(outcome)
        assert 0x00400275 not in found or len(found[0x00400275].value) == 0
        assert b"JUNK" not in outcome.data
