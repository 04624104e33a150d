"""The front door: whatever goes wrong, nothing leaves."""

import pytest

from karnak.ir.expression import Escape, Template
from karnak.ir.profile import (
    CleanPixelData,
    CleanRecognizableVisualFeatures,
    Effect,
    ReplaceFromService,
    Rule,
)
from karnak.ir.selector import NOTHING
from karnak.runtime.outcome import Status
from karnak.testing.expressions import call, tag
from karnak.testing.specimen import Element, Leaf, Specimen, encoded, leaf, part10, sequence
from tests.runtime.making import (
    NOW,
    PROJECT,
    X,
    both_engines,
    leaves,
    output,
    program,
    rejection,
    rule,
    run,
    specimen,
)

SERVICE = ReplaceFromService(Template(("http://names.example/",), Escape.URL), "/name", "GET", None, None, "x")
WAITING: dict[str, Effect] = {
    "action.replace.api": SERVICE,
    "clean.pixel.data": CleanPixelData(automatic_masks=False),
    "clean.recognizable.visual.features": CleanRecognizableVisualFeatures(),
}
NAME = leaf("PatientName", "DOE^JANE")


def waiting(codename: str) -> Rule:
    made = rule(WAITING[codename], "PatientName", name="later", line=5)
    selector = made.selector if codename == "action.replace.api" else NOTHING
    return Rule("later", codename, selector, made.effect, None, made.span)


# --- effects that this build cannot run -----------------------------------------------------


@pytest.mark.parametrize("codename", WAITING)
@pytest.mark.parametrize("mode", ["deid", "morph"])
def test_a_rule_that_cannot_be_run_rejects_and_is_never_skipped(codename: str, mode: str) -> None:
    outcome = run(specimen(NAME), waiting(codename), mode="deid" if mode == "deid" else "morph")
    reason = rejection(outcome)
    assert "rule 'later' (line 5)" in reason
    assert codename in reason


@pytest.mark.parametrize("codename", WAITING)
def test_it_rejects_also_where_an_earlier_rule_decides_all_that_it_speaks_of(codename: str) -> None:
    assert codename in rejection(run(specimen(NAME), rule(X, "PatientName"), waiting(codename)))


@pytest.mark.parametrize("codename", WAITING)
def test_it_rejects_also_where_its_condition_fails(codename: str) -> None:
    # The compiler refuses such profiles; an engine that is handed one all the same does not guess.
    made = waiting(codename)
    absent = call("tagIsPresent", tag("StudyDate"))
    guarded = Rule(made.name, made.codename, made.selector, made.effect, absent, made.span)
    assert codename in rejection(run(specimen(NAME), guarded))


# --- damaged files --------------------------------------------------------------------------

SMALL: dict[str, tuple[Element, ...]] = {
    "flat": (NAME, leaf("StudyID", "7")),
    "nested": (sequence("RequestAttributesSequence", [NAME], [leaf("StudyID", "7")]), leaf(0x00E10010, "ACME", "LO")),
    "delimited": (sequence("RequestAttributesSequence", [NAME], undefined_length=True),),
    "hidden": (leaf(0x00090010, "ACME", "LO"), sequence(0x00091001, [NAME], unknown=True), NAME),
}


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_a_file_cut_anywhere_is_rejected_or_is_the_shorter_instance(name: str, syntax: str) -> None:
    made = Specimen(specimen(*SMALL[name]).elements, syntax)
    data = part10(made)
    start = len(data) - len(encoded(made.elements, syntax))
    between = {start + len(encoded(made.elements[:count], syntax)) for count in range(len(made.elements))}
    for length in range(len(data)):
        outcome = both_engines(data[:length], program(rule(X, "StudyID")))
        if length not in between:
            rejection(outcome)
        elif outcome.status is Status.FORWARDED:
            # Nothing tells a reader that elements after the last are missing; those before it are the same.
            shorter = Specimen(made.elements[: sorted(between).index(length)], syntax)
            assert leaves(output(outcome)) == leaves(output(run(shorter, rule(X, "StudyID"))))


def test_every_single_changed_byte_ends_in_an_outcome() -> None:
    data = part10(specimen(*SMALL["nested"]))
    chosen = program(rule(X, "PatientName"))
    for offset in range(132, len(data)):
        for byte in {0, 0xFF, data[offset] ^ 1, data[offset] ^ 0x80}:
            outcome = both_engines(data[:offset] + bytes([byte]) + data[offset + 1 :], chosen)
            assert (outcome.data is not None) is (outcome.status is Status.FORWARDED)


# --- nesting --------------------------------------------------------------------------------


def nested(depth: int, *, unknown: bool = False) -> Specimen:
    inside: Element = NAME
    for _ in range(depth):
        inside = sequence("RequestAttributesSequence", [inside], unknown=unknown)
    return specimen(inside)


@pytest.mark.parametrize("unknown", [False, True])
def test_rules_reach_64_levels_and_nothing_hides_below(unknown: bool) -> None:
    outcome = run(nested(64, unknown=unknown), rule(X, "PatientName"))
    assert outcome.data is not None
    assert b"DOE" not in outcome.data
    for depth in (65, 66, 100):
        assert "deeper than 64" in rejection(run(nested(depth, unknown=unknown), rule(X, "PatientName")))


def test_a_sequence_hidden_in_a_private_value_cannot_hide_below_64_levels_either() -> None:
    inside: Element = NAME
    for _ in range(70):
        inside = sequence("RequestAttributesSequence", [inside])
    made = specimen(leaf(0x00090010, "ACME", "LO"), sequence(0x00091001, [inside], unknown=True))
    assert "deeper than 64" in rejection(run(made, rule(X, "PatientName")))


# --- the same answer twice ------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes() -> None:
    made = specimen(NAME, *SMALL["nested"])
    assert run(made, rule(X, "StudyID"), mode="deid").data == run(made, rule(X, "StudyID"), mode="deid").data


def test_a_dataset_alone_is_taken_as_a_file_is() -> None:
    made = specimen(NAME)
    outcome = both_engines(encoded(made.elements), program(), transfer_syntax_uid=made.transfer_syntax_uid)
    assert outcome.data == run(made).data


def test_memory_is_taken_without_a_copy() -> None:
    from karnak.runtime.deidentify import deidentify

    data = part10(specimen(NAME))
    seen = deidentify(memoryview(data), program(rule(X, "PatientName")), PROJECT, mode="morph", now=NOW)
    assert seen.data == run(data, rule(X, "PatientName")).data


@pytest.mark.parametrize("value", [b"", b"  "])
def test_an_empty_uid_of_the_output_is_none(value: bytes) -> None:
    made = specimen(Leaf(0x0020000D, "UI", value))
    outcome = run(made)
    assert outcome.status is Status.FORWARDED
    assert outcome.study_instance_uid is None
