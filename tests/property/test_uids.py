"""Equal UIDs stay equal and unequal ones unequal: in an instance, between instances, in every encoding (section 6)."""

from hypothesis import given, settings
from hypothesis import strategies as st

from karnak.ir.profile import Rule
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from karnak.standard.uids import is_registered
from karnak.testing.invariants import one_to_one
from karnak.testing.reading import leaves, read_part10
from karnak.testing.specimen import Leaf, Specimen, part10
from karnak.testing.strategies import hierarchies, projects, specimens, uids
from tests.runtime.making import PROJECT, U, both_engines, program, rule

EVERY_UID = program(rule(U, vrs=["UI"]))


def values(leaf: Leaf) -> list[str]:
    return [part.strip(" \0") for part in leaf.value.decode("latin-1").split("\\")]


def uid_leaves(data: bytes) -> dict[str, Leaf]:
    """The elements of VR UI of a file, by their paths."""
    found = leaves(read_part10(data)[2])
    return {
        path: leaf for path, leaf in found if isinstance(leaf, Leaf) and (leaf.vr == "UI" or _sent_as_unknown(leaf))
    }


def _sent_as_unknown(leaf: Leaf) -> bool:
    from karnak.runtime.encoding import effective_vr

    return leaf.vr == "UN" and effective_vr(leaf.tag, "UN") == "UI"


def pairs(made: Specimen, chosen: Program = EVERY_UID, project: Project = PROJECT) -> list[tuple[str, str]]:
    """Every UID of an instance with what became of it."""
    data = part10(made)
    outcome = both_engines(data, chosen, project)
    assert outcome.data is not None, outcome.reason
    before, after = uid_leaves(data), dict(leaves(read_part10(outcome.data)[2]))
    found: list[tuple[str, str]] = []
    for path, leaf in before.items():
        other = after[path]
        assert isinstance(other, Leaf)
        old, new = values(leaf), values(other)
        if any(old):
            assert len(old) == len(new), path
            found += zip(old, new, strict=True)
    return found


@given(specimens(patient_ids=("PAT-1",)))
@settings(max_examples=120)
def test_in_one_instance_at_every_depth(made: Specimen) -> None:
    found = pairs(made)
    one_to_one(found)
    for old, new in found:
        if not old or is_registered(old):
            assert new == old
        else:
            assert new != old
            assert new.startswith("2.25.")
            assert len(new) <= 64


@given(hierarchies())
@settings(max_examples=60)
def test_between_the_instances_of_a_project(made: tuple[Specimen, ...]) -> None:
    one_to_one(pair for each in made for pair in pairs(each))


@given(hierarchies(), st.sampled_from([[rule(U)], [rule(U, "0020XXXX", "0008XXXX")], []]))
@settings(max_examples=60)
def test_whatever_rule_asks_for_the_new_uid(made: tuple[Specimen, ...], rules: list[Rule]) -> None:
    """A reference and what it refers to stay together also where different rules change them."""
    chosen = program(*rules, rule(U, "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"))
    found: list[tuple[str, str]] = []
    for each in made:
        data = part10(each)
        outcome = both_engines(data, chosen)
        if outcome.data is not None:
            before, after = (dict(leaves(read_part10(file)[2])) for file in (data, outcome.data))
            for path in ("(0008,0018)", "(0020,000D)", "(0020,000E)"):
                old, new = before[path], after[path]
                assert isinstance(old, Leaf)
                assert isinstance(new, Leaf)
                found += zip(values(old), values(new), strict=True)
    one_to_one(found)


@given(specimens(patient_ids=("PAT-1",)), projects(), projects())
@settings(max_examples=60)
def test_projects_do_not_share_uids(made: Specimen, one: Project, other: Project) -> None:
    if one.secret == other.secret:
        return
    for (old, new), (_, elsewhere) in zip(pairs(made, EVERY_UID, one), pairs(made, EVERY_UID, other), strict=True):
        assert (new == elsewhere) is (not old or is_registered(old))


@given(st.lists(uids(), min_size=1, max_size=30, unique=True), projects())
def test_the_mapping_itself_is_one_to_one(found: list[str], project: Project) -> None:
    assert len({project.uid(each) for each in found}) == len(found)
    assert all(project.uid(each) == project.uid(each) for each in found)
