"""What no rule touches is passed on to the byte, and only that (section 3.6)."""

import re

from hypothesis import given, settings

from karnak.ir.profile import Action, Apply
from karnak.ir.selector import EVERY_TAG, Selector
from karnak.runtime.program import Program
from karnak.testing.reading import leaves, read_part10
from karnak.testing.specimen import (
    BIG_ENDIAN,
    DEFLATED,
    Element,
    Fragments,
    Item,
    Items,
    Leaf,
    Specimen,
    encoded,
    part10,
)
from karnak.testing.strategies import programs, specimens
from tests.runtime.making import K, both_engines, program, rule

UNWRITTEN = re.compile(r"\(....,0000\)$|\(FFFC,FFFC\)$")
CREATOR = re.compile(r"\(...[13579BDF],00[1-9A-F].\)$")
# What takes everything below it.
WHOLE = frozenset({"remove", "empty", "dummy", "replace"})


def stripped(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    """A tree without the elements that are never passed on."""
    kept = [element for element in elements if element.tag & 0xFFFF != 0 and element.tag != 0xFFFCFFFC]
    return tuple(
        Items(
            element.tag,
            tuple(Item(stripped(item.elements), item.undefined_length) for item in element.items),
            element.undefined_length,
            element.unknown,
        )
        if isinstance(element, Items)
        else element
        for element in kept
    )


def lying(data: bytes) -> dict[str, Leaf | Fragments]:
    """The leaves of a file by their paths, values as they lie."""
    return dict(leaves(read_part10(data)[2]))


@given(specimens())
@settings(max_examples=150)
def test_a_profile_without_rules_gives_back_the_dataset(made: Specimen) -> None:
    outcome = both_engines(part10(made), program())
    assert outcome.data is not None
    wanted = encoded(stripped(made.elements), made.transfer_syntax_uid)
    if made.transfer_syntax_uid == DEFLATED:
        assert read_part10(outcome.data)[2] == read_part10(part10(Specimen(stripped(made.elements), DEFLATED)))[2]
    else:
        assert outcome.data.endswith(wanted)
        assert len(outcome.data) == 132 + 12 + int.from_bytes(outcome.data[140:144], "little") + len(wanted)


@given(specimens())
@settings(max_examples=60)
def test_keeping_everything_is_the_same_as_no_rules(made: Specimen) -> None:
    keep = rule(K)
    assert keep.selector == Selector((EVERY_TAG,))
    assert keep.effect == Apply(Action.KEEP)
    assert both_engines(part10(made), program(keep)).data == both_engines(part10(made), program()).data


@given(specimens(), programs())
@settings(max_examples=200)
def test_what_is_not_noted_is_not_touched(made: Specimen, chosen: Program) -> None:
    data = part10(made)
    outcome = both_engines(data, chosen)
    if outcome.data is None:
        return
    touched = {change.path: change.action for change in outcome.changes if change.action != "keep"}
    whole = tuple(f"{path}[" for path, action in touched.items() if action in WHOLE)
    before, after = lying(data), lying(outcome.data)
    for path, leaf in before.items():
        if path in touched or UNWRITTEN.search(path) or CREATOR.search(path) or path.startswith(whole):
            continue
        assert path in after, path
        assert after[path] == leaf, path
    for path in after:
        # What is new was asked for, and a private creator that it needs.
        assert path in before or touched.get(path) == "add" or CREATOR.search(path) or path.startswith(whole), path


@given(specimens(transfer_syntaxes=(BIG_ENDIAN,)))
@settings(max_examples=40)
def test_numbers_keep_their_byte_order(made: Specimen) -> None:
    outcome = both_engines(part10(made), program())
    assert outcome.data is not None
    assert outcome.data.endswith(encoded(stripped(made.elements), BIG_ENDIAN))


@given(specimens(), programs())
@settings(max_examples=100)
def test_private_creators_follow_their_blocks(made: Specimen, chosen: Program) -> None:
    """A creator of the original is there exactly as long as its block, with its own bytes."""
    data = part10(made)
    outcome = both_engines(data, chosen)
    if outcome.data is None:
        return
    before, after = lying(data), lying(outcome.data)
    for path, leaf in after.items():
        if CREATOR.search(path) and path in before:
            assert leaf == before[path]
        match = re.fullmatch(r"(.*)\((...[13579BDF]),(..)..\)", path)
        if match is not None and match[3] != "00":
            creator = f"{match[1]}({match[2]},00{match[3]})"
            assert creator not in before or creator in after
