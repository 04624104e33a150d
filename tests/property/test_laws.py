"""The engine's laws, for any instance and any profile: it answers, it answers the same, and it fails closed."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome, Status
from karnak.runtime.part10 import decode_instance, read_instance
from karnak.runtime.program import Program
from karnak.testing.invariants import fails_closed
from karnak.testing.reading import leaves, read_part10
from karnak.testing.specimen import Leaf, Specimen, encoded, part10
from karnak.testing.strategies import damaged, instances, programs, projects, specimens
from tests.runtime.making import NOW, PROJECT, both_engines, program

CREATED = ("(0008,0012)", "(0008,0013)")
modes = st.sampled_from(["deid", "morph"])


def holds(outcome: Outcome) -> None:
    """What is true of every outcome of the engine."""
    fails_closed(outcome)
    assert "internal error" not in (outcome.reason or "")


@given(instances(), programs(), projects(), modes)
@settings(max_examples=250)
def test_both_engines_answer_alike_and_fail_closed(data: bytes, chosen: Program, project: Project, mode: str) -> None:
    holds(both_engines(data, chosen, project, mode="deid" if mode == "deid" else "morph"))


@given(damaged(), programs())
@settings(max_examples=150)
def test_damaged_files_end_in_an_outcome_and_never_in_an_exception(data: bytes, chosen: Program) -> None:
    holds(both_engines(data, chosen))


@given(st.binary(max_size=64), st.binary(max_size=8), st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]))
def test_noise_ends_in_an_outcome(noise: bytes, end: bytes, syntax: str) -> None:
    holds(both_engines(noise, program()))
    holds(both_engines(bytes(128) + b"DICM" + noise, program()))
    holds(both_engines(noise + end, program(), transfer_syntax_uid=syntax))


@given(instances(patient_ids=(None,)), programs())
@settings(max_examples=40)
def test_nothing_leaves_without_a_patient_id(data: bytes, chosen: Program) -> None:
    outcome = both_engines(data, chosen, mode="deid")
    holds(outcome)
    assert outcome.status is Status.REJECTED


@given(instances(), programs())
@settings(max_examples=40)
def test_nothing_is_deidentified_without_a_pseudonym(data: bytes, chosen: Program) -> None:
    outcome = both_engines(data, chosen, mode="deid", pseudonym=None)
    holds(outcome)
    assert outcome.status is not Status.FORWARDED


@given(instances(), programs(), modes)
@settings(max_examples=60)
def test_equal_input_gives_equal_bytes(data: bytes, chosen: Program, mode: str) -> None:
    again = Program(chosen.profile, chosen.edition)
    first, second = (both_engines(data, each, mode="deid" if mode == "deid" else "morph") for each in (chosen, again))
    assert first.data == second.data
    assert (first.status, first.reason, tuple(first.changes)) == (second.status, second.reason, tuple(second.changes))


@given(instances(), programs())
@settings(max_examples=60)
def test_the_clock_moves_nothing_but_the_time_of_creation(data: bytes, chosen: Program) -> None:
    one = both_engines(data, chosen, mode="deid")
    later = both_engines(data, chosen, mode="deid", now=NOW + timedelta(days=400, seconds=7))
    assert one.status is later.status
    if one.data is not None and later.data is not None:
        old, new = (
            {path: leaf for path, leaf in leaves(read_part10(each)[2]) if path not in CREATED}
            for each in (one.data, later.data)
        )
        assert old == new


@given(instances(), programs())
@settings(max_examples=60)
def test_tag_morphing_needs_neither_clock_nor_pseudonym(data: bytes, chosen: Program) -> None:
    one = both_engines(data, chosen, pseudonym=None)
    other = both_engines(data, chosen, pseudonym="P-9", now=NOW + timedelta(days=1))
    assert one.data == other.data


@given(specimens(), programs())
@settings(max_examples=60)
def test_a_file_a_dataset_and_a_parsed_instance_are_one(made: Specimen, chosen: Program) -> None:
    data, syntax = part10(made), made.transfer_syntax_uid
    outcome = both_engines(data, chosen)
    alone = both_engines(encoded(made.elements, syntax), chosen, transfer_syntax_uid=syntax)
    if alone.reason is None or "(0008,0016)" not in alone.reason:
        # Only the file meta information can make up for a SOP Class UID that a rule took.
        assert alone.data == outcome.data
    for instance in (read_instance(data), decode_instance(data)):
        parsed = [deidentify(instance, chosen, PROJECT, mode="morph", now=NOW) for _ in range(2)]
        assert [each.data for each in parsed] == [outcome.data] * 2


@given(specimens(), programs())
@settings(max_examples=60)
def test_the_source_is_not_told(made: Specimen, chosen: Program) -> None:
    """File meta information, preamble, group lengths and padding never get through."""
    outcome = both_engines(part10(made), chosen)
    if outcome.data is None:
        return
    assert outcome.data[:128] == bytes(128)
    meta, syntax, elements = read_part10(outcome.data)
    assert syntax == made.transfer_syntax_uid
    assert [element.tag & 0xFFFF for element in meta] == [0x1, 0x2, 0x3, 0x10, 0x12, 0x13]
    uids = {element.tag: element.value for element in elements if isinstance(element, Leaf)}
    named = {element.tag & 0xFFFF: element.value for element in meta if isinstance(element, Leaf)}
    left = {tag: uids.get(tag, b"").strip(b"\0 ").split(b"\\")[0] for tag in (0x00080016, 0x00080018)}
    came = next(e.value for e in made.elements if isinstance(e, Leaf) and e.tag == 0x00080016)
    # A SOP Class UID that a rule took, or emptied, is told by what came; it says nothing of anybody.
    assert named[0x2].rstrip(b"\0") == (left[0x00080016] or came.rstrip(b"\0"))
    assert named[0x3].rstrip(b"\0") == left[0x00080018] != b""
    for path, _ in leaves(elements):
        assert not path.endswith(",0000)")
        assert not path.endswith("(FFFC,FFFC)")
