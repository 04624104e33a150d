"""The strategies keep their promises: what they make is well formed, varied, and read as it was written."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import find, given, settings

from karnak.ir.profile import AddElement, AddPrivateElement, Apply, BasicProfile, Evaluate, Profile
from karnak.ir.selector import PrivateElement, TagPath
from karnak.standard import dictionary
from karnak.testing.instances import TRANSFER_SYNTAXES
from karnak.testing.reading import leaves, read_dataset, read_part10
from karnak.testing.specimen import IMPLICIT, Element, Fragments, Items, Leaf, Specimen, encoded, part10
from karnak.testing.strategies import instances, profiles, specimens, values


def every_element(elements: tuple[Element, ...], depth: int = 0) -> Iterator[tuple[int, Element]]:
    for element in elements:
        yield depth, element
        if isinstance(element, Items):
            for item in element.items:
                yield from every_element(item.elements, depth + 1)


@given(specimens())
def test_an_instance_is_read_as_the_tree_that_it_was_written_from(made: Specimen) -> None:
    if made.transfer_syntax_uid not in TRANSFER_SYNTAXES[:2]:
        made = Specimen(made.elements, TRANSFER_SYNTAXES[0])
    read = read_dataset(encoded(made.elements, made.transfer_syntax_uid), made.transfer_syntax_uid)
    wanted = dict(leaves(made.elements))
    found = dict(leaves(read))
    # An unknown value without items is no sequence any more.
    assert {path for path in found if path not in wanted} <= {
        path for path, leaf in found.items() if isinstance(leaf, Leaf) and leaf.value == b""
    }
    for path, leaf in wanted.items():
        other = found[path]
        if isinstance(leaf, Leaf) and isinstance(other, Leaf):
            assert other.value == leaf.value
        else:
            assert other == leaf


@given(specimens())
def test_a_tree_that_was_read_is_written_as_it_was(made: Specimen) -> None:
    data = part10(made)
    _, syntax, elements = read_part10(data)
    assert syntax == made.transfer_syntax_uid
    body = encoded(made.elements, syntax)
    swapped = syntax == TRANSFER_SYNTAXES[2]
    if not swapped:
        assert encoded(elements, syntax) == body
    assert data.endswith(body)


@given(instances(transfer_syntaxes=(IMPLICIT,)))
def test_the_arguments_of_the_strategies_are_heeded(data: bytes) -> None:
    assert read_part10(data)[1] == IMPLICIT


def test_instances_are_varied() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=300, derandomize=True, database=None)
    @given(specimens())
    def look(made: Specimen) -> None:
        seen[made.transfer_syntax_uid] += 1
        found = list(every_element(made.elements))
        seen["deep"] += any(depth >= 2 for depth, _ in found)
        for depth, element in found:
            if isinstance(element, Items):
                seen["undefined length" if element.undefined_length else "defined length"] += 1
                seen["hidden"] += element.unknown
                seen["items of both kinds"] += len({item.undefined_length for item in element.items}) == 2
            elif isinstance(element, Fragments):
                seen["fragments"] += 1
            else:
                seen[element.vr] += 1
                seen["odd length"] += len(element.value) % 2
                seen["several values"] += b"\\" in element.value
                seen["empty"] += not element.value
                seen["character set of an item"] += element.tag == 0x00080005 and depth > 0
            seen["creator"] += element.tag >> 16 & 1 and 0x10 <= element.tag & 0xFFFF <= 0xFF
            seen["nested private"] += element.tag >> 16 & 1 and depth > 0

    look()
    few = {kind: seen[kind] for kind in (*TRANSFER_SYNTAXES, "deep", "hidden", "fragments", "odd length", "creator",
                                         "several values", "empty", "nested private", "items of both kinds",
                                         "character set of an item") if seen[kind] < 5}  # fmt: skip
    assert not few
    assert len([vr for vr in dictionary.VRS if seen[vr]]) > 20


@pytest.mark.parametrize("vr", sorted(dictionary.VRS - {"SQ"}))
def test_every_vr_has_values_that_fill_and_values_that_do_not(vr: str) -> None:
    assert find(values(vr), lambda value: value != b"", settings=settings(derandomize=True)) != b""
    assert find(values(vr), lambda value: not value.strip(b" \0"), settings=settings(derandomize=True)) is not None


def test_profiles_are_varied() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=300, derandomize=True, database=None)
    @given(profiles())
    def look(profile: Profile) -> None:
        assert 1 <= len(profile.rules) <= 6
        assert sum(isinstance(rule.effect, BasicProfile) for rule in profile.rules) <= 1
        for rule in profile.rules:
            seen[rule.codename] += 1
            seen["guard"] += rule.guard is not None
            terms = (*rule.selector.include, *rule.selector.exclude)
            seen["path"] += any(isinstance(term, TagPath) for term in terms)
            seen["by creator"] += any(isinstance(term, PrivateElement) for term in terms)
            seen["excluded"] += bool(rule.selector.exclude)
            seen[type(rule.effect).__name__] += 1

    look()
    kinds = (Apply, BasicProfile, Evaluate, AddElement, AddPrivateElement)
    wanted = [*(kind.__name__ for kind in kinds), "Shift", "ShiftRange", "ShiftByTag", "TruncateDate", "guard", "path",
              "by creator", "excluded", "action.on.privatetags"]  # fmt: skip
    assert {kind: seen[kind] for kind in wanted if seen[kind] < 5} == {}
