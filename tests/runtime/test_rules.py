"""How rules meet elements: section 3 of the language page, clauses 1, 2, 4, 6, 7 and 8."""

from itertools import permutations

import pytest

from karnak.ir.expression import BOOL, INT, NULL, Binary, BinaryOperator, Conditional, Expression, Kind, Literal, Type
from karnak.ir.profile import AddElement, Effect, Evaluate, Rule
from karnak.runtime.outcome import Change, Status
from karnak.testing.expressions import call, number, tag, text
from karnak.testing.specimen import Leaf, leaf, sequence
from tests.runtime.making import (
    CT,
    D,
    K,
    U,
    X,
    Z,
    adding,
    after,
    basic,
    leaves,
    output,
    raw,
    rejection,
    rule,
    run,
    specimen,
    value_after,
    without,
)

NAME = leaf("PatientName", "DOE^JANE")
TRUE, FALSE = Literal(True, BOOL), Literal(False, BOOL)
NO_DECISION = Literal(None, NULL)


def says(expression: Expression) -> Evaluate:
    return Evaluate(expression)


def only_if(test: Expression, action: Expression) -> Evaluate:
    """An expression that decides only where a test holds."""
    return says(Conditional(test, action, NO_DECISION, Type(Kind.ACTION, nullable=True)))


# --- 1. guards ------------------------------------------------------------------------------


def test_a_rule_whose_guard_fails_is_not_asked() -> None:
    assert value_after(NAME, rule(X, "PatientName", when=FALSE)) == NAME.value
    assert value_after(NAME, rule(X, "PatientName", when=TRUE)) is None


def test_guards_read_the_original_whatever_earlier_rules_did() -> None:
    # Modality (0008,0060) comes before PatientName: it is gone from the output when PatientName is decided.
    guard = call("tagValueIsPresent", tag("Modality"), text("CT"))
    made = specimen(leaf("Modality", "CT"), NAME)
    found = after(made, rule(X, "Modality"), rule(X, "PatientName", when=guard))
    assert raw(found, "Modality") is None
    assert raw(found, "PatientName") is None


def test_guards_read_the_root_also_for_nested_elements() -> None:
    guard = call("tagIsPresent", tag("PatientName"))
    made = specimen(sequence("RequestAttributesSequence", [NAME]))
    assert "00400275[0]/00100010" in leaves(after(made, rule(X, "PatientName", when=guard)))
    anywhere = call("tagIsPresentAnywhere", tag("PatientName"))
    assert "00400275[0]/00100010" not in leaves(after(made, rule(X, "PatientName", when=anywhere)))


def test_a_guard_that_fails_with_an_error_rejects_even_where_its_rule_selects_nothing() -> None:
    broken = Binary(BinaryOperator.EQUAL, Binary(BinaryOperator.DIVIDE, number(1), number(0), INT), number(1), BOOL)
    outcome = run(specimen(), rule(X, "StudyComments", when=broken, name="odd", line=12))
    assert rejection(outcome) == "the condition of rule 'odd' (line 12) cannot be evaluated: division by zero"


# --- 2. order, first match, selectors -------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [(K, X, NAME.value), (X, K, None), (Z, X, b""), (D, K, b"UNKNOWN "), (K, D, NAME.value)],
)
def test_the_first_rule_that_decides_wins(first: Effect, second: Effect, left: bytes | None) -> None:
    assert value_after(NAME, rule(first, "PatientName"), rule(second, "PatientName")) == left


def test_a_rule_that_does_not_select_the_element_decides_nothing() -> None:
    assert value_after(NAME, rule(K, "PatientID"), rule(X, "PatientName")) is None


def test_an_effect_that_is_null_leaves_the_decision_to_the_next_rule() -> None:
    assert value_after(NAME, rule(says(NO_DECISION), "PatientName"), rule(Z, "PatientName")) == b""


def test_rules_are_asked_in_the_order_of_the_profile_whatever_their_kind() -> None:
    rules = {"keep": rule(K, "00XXXXXX"), "remove": rule(X, "PatientName"), "basic": basic()}
    for order in permutations(rules):
        left = value_after(NAME, *(rules[name] for name in order))
        assert left == {"keep": NAME.value, "remove": None, "basic": b""}[order[0]]


def test_an_element_that_no_rule_matches_is_kept() -> None:
    made = specimen(NAME, Leaf(0x7776AB01, "LO", b"odd "))
    found = after(made, rule(X, "PatientID"))
    assert raw(found, "PatientName") == NAME.value
    assert raw(found, 0x7776AB01) == b"odd "


def test_changes_are_noted_in_the_order_of_the_dataset() -> None:
    made = specimen(leaf("Modality", "CT"), NAME, leaf("StudyID", "7"))
    outcome = run(made, rule(X, "StudyID", line=5), rule(Z, "Modality", "PatientName", name="empty", line=4))
    assert outcome.changes == (
        Change("(0008,0060)", "empty", "empty", 4),
        Change("(0010,0010)", "empty", "empty", 4),
        Change("(0020,0010)", "remove", "the rule", 5),
    )


def test_a_pattern_selects_by_nibbles() -> None:
    made = specimen(leaf("60000010", 1, "US"), leaf("60020010", 2, "US"), leaf("60020022", "x", "LO"))
    found = leaves(after(made, rule(X, "60XX0010")))
    assert {path for path in found if path.startswith("60")} == {"60020022"}


def test_an_exact_selector_beats_a_pattern_within_one_rule() -> None:
    kept = rule(X, "0010XXXX", exclude=["PatientName"])
    assert value_after(NAME, kept) == NAME.value
    removed = rule(X, "PatientName", exclude=["0010XXXX"])
    assert value_after(NAME, removed) is None


def test_among_patterns_the_most_specific_decides_and_a_tie_excludes() -> None:
    assert value_after(NAME, rule(X, "0010001X", exclude=["0010XXXX"])) is None
    assert value_after(NAME, rule(X, "0010XXXX", exclude=["0010001X"])) == NAME.value
    assert value_after(NAME, rule(X, "0010001X", exclude=["001X0010"])) == NAME.value
    assert value_after(NAME, rule(X, "PatientName", exclude=["PatientName"])) == NAME.value


def test_a_rule_without_tags_speaks_of_all() -> None:
    assert leaves(after(specimen(NAME), rule(K, "0008XXXX"), rule(X))).keys() == {"00080016", "00080018"}


def test_a_rule_narrowed_to_vrs_leaves_others_to_later_rules() -> None:
    made = specimen(leaf("StudyDate", "20230517"), NAME)
    found = after(made, rule(Z, vrs=["DA"]))
    assert raw(found, "StudyDate") == b""
    assert raw(found, "PatientName") == NAME.value


def test_a_rule_narrowed_to_private_elements_leaves_the_standard_ones() -> None:
    made = specimen(NAME, leaf(0x00090010, "ACME", "LO"), leaf(0x00091001, "x", "LO"))
    found = leaves(after(made, rule(X, private=True)))
    assert "00100010" in found
    assert not any(path.startswith("0009") for path in found)


# --- 7. excluding ---------------------------------------------------------------------------


EXCLUDE = call("ExcludeInstance")
NESTED = specimen(
    sequence("RequestAttributesSequence", [sequence("ReferencedStudySequence", [leaf("StudyID", "7")])]),
    leaf("PatientComments", "x"),
)


@pytest.mark.parametrize(
    "rules",
    [
        [rule(says(EXCLUDE), "PatientComments", name="out", line=3)],
        [rule(says(EXCLUDE), "StudyID", name="out", line=3)],
        [rule(K, "RequestAttributesSequence"), rule(says(EXCLUDE), "PatientComments", name="out", line=3)],
        [rule(says(EXCLUDE), "StudyID", name="out", line=3), rule(D, "RequestAttributesSequence")],
        [rule(only_if(Binary(BinaryOperator.EQUAL, tag("StudyID"), tag("StudyID"), BOOL), EXCLUDE), "StudyID",
              name="out", line=3)],
    ],
)  # fmt: skip
def test_exclude_instance_anywhere_sends_nothing(rules: list[Rule]) -> None:
    outcome = run(NESTED, *rules, mode="deid")
    assert outcome.status is Status.EXCLUDED
    assert outcome.data is None
    assert outcome.reason == "rule 'out' (line 3) excludes this instance"
    assert outcome.sop_class_uid == CT
    assert outcome.sop_instance_uid is None


def test_exclusion_does_not_reach_into_what_was_removed_whole() -> None:
    gone = rule(X, "RequestAttributesSequence")
    assert run(NESTED, gone, rule(says(EXCLUDE), "StudyID")).status is Status.FORWARDED


def test_a_rule_that_comes_too_late_excludes_nothing() -> None:
    assert run(NESTED, rule(K, "PatientComments"), rule(says(EXCLUDE), "PatientComments")).status is Status.FORWARDED


# --- 8. errors ------------------------------------------------------------------------------


def test_an_error_rejects_the_instance_and_names_the_place() -> None:
    broken = says(call("Replace", text("\u00e9")))
    made = specimen(sequence("RequestAttributesSequence", [], [leaf("StudyID", "7")]))
    outcome = run(made, rule(broken, "StudyID"))
    assert rejection(outcome).startswith("(0040,0275)[1]/(0020,0010): ")
    assert outcome.changes == ()


def test_an_error_rejects_even_when_everything_else_went_well() -> None:
    made = specimen(NAME, leaf("PixelData", b"\0\0", "OW"))
    assert rejection(run(made, rule(D, "PatientName"), rule(U, "PixelData"))).startswith("(7FE0,0010): ")


@pytest.mark.parametrize("gone", ["SOPInstanceUID", "SOPClassUID"])
def test_an_instance_that_could_not_be_stored_is_rejected(gone: str) -> None:
    made = without(specimen(), gone)
    assert "(0008,001" in rejection(run(made))


def test_a_rule_may_not_take_the_sop_instance_uid_away() -> None:
    assert "(0008,0018)" in rejection(run(specimen(), rule(X, "SOPInstanceUID")))
    assert "(0008,0018)" in rejection(run(specimen(), rule(Z, "SOPInstanceUID")))


# --- 4. additions are touched by no rule ----------------------------------------------------


def test_no_rule_touches_what_was_added() -> None:
    added = adding(AddElement(0x00104000, "LT", "seen"))
    assert raw(after(specimen(), added, rule(X, "PatientComments")), "PatientComments") == b"seen"
    assert raw(after(specimen(), rule(X, "PatientComments"), added), "PatientComments") == b"seen"


def test_an_expression_never_sees_what_was_added() -> None:
    added = adding(AddElement(0x00104000, "LT", "seen"))
    copied = says(call("Replace", call("getString", tag("PatientComments"))))
    assert value_after(leaf("StudyID", "7"), added, rule(copied, "StudyID")) == b""


def test_the_outcome_names_the_uids_of_the_output() -> None:
    outcome = run(specimen(), rule(U, vrs=["UI"]))
    found = output(outcome)
    assert outcome.sop_class_uid == found.SOPClassUID == CT
    assert outcome.sop_instance_uid == found.SOPInstanceUID != "1.2.3.4.5"
    assert outcome.study_instance_uid == found.StudyInstanceUID != "1.2.3.4"
    assert outcome.series_instance_uid == found.SeriesInstanceUID != "1.2.3.4.1"
    assert outcome.transfer_syntax_uid == found.file_meta.TransferSyntaxUID
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
