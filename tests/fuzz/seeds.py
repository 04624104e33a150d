"""What the fuzzers begin with: real instances with their values cut short, and instances from the dense vocabulary."""

from pathlib import Path
from random import Random

from karnak.runtime.encoding import DEFLATED
from karnak.runtime.part10 import is_part10
from karnak.testing.reading import read_dataset, read_part10
from karnak.testing.specimen import BIG_ENDIAN, EXPLICIT, IMPLICIT, Element, Fragments, Item, Items, Leaf, encoded
from tests.golden.cases import inputs
from tests.property import dense

# Mutations hit headers more often where values are short.
_LONGEST_VALUE = 24
_LONGEST_SEED = 6000
_FROM_VOCABULARY = 300


def seeds() -> list[bytes]:
    """Inputs for the targets: a byte that chooses, and a dataset."""
    found: list[bytes] = []
    for data in inputs().values():
        try:
            _, syntax, elements = read_part10(data) if is_part10(data) else ((), IMPLICIT, read_dataset(data, IMPLICIT))
        except ValueError:
            continue
        if syntax == BIG_ENDIAN or syntax in DEFLATED:
            continue
        implicit = syntax == IMPLICIT
        made = encoded(_short(elements), IMPLICIT if implicit else EXPLICIT)
        if len(made) <= _LONGEST_SEED:
            found.append(bytes([len(found) * 2 % 256 | implicit]) + made)
    for seed in range(_FROM_VOCABULARY):
        random = Random(seed)
        drawn = dense.specimen(random, (EXPLICIT, IMPLICIT)[seed % 2])
        made = encoded(_short(drawn.elements), drawn.transfer_syntax_uid, drawn.reserved)
        found.append(bytes([seed % 256 & 0xFE | seed % 2]) + made)
    return found


def write(folder: Path) -> None:
    """Write every seed into a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (folder / f"seed{number:04d}").write_bytes(seed)


def _short(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    return tuple(map(_shorter, elements))


def _shorter(element: Element) -> Element:
    match element:
        case Leaf(tag, vr, value):
            return Leaf(tag, vr, value[:_LONGEST_VALUE])
        case Fragments(tag, fragments):
            return Fragments(tag, tuple(fragment[:_LONGEST_VALUE] for fragment in fragments[:3]))
        case Items():
            items = tuple(Item(_short(item.elements), item.undefined_length) for item in element.items[:2])
            return Items(element.tag, items, element.undefined_length, element.unknown)
