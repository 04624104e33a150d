"""How long it takes to build a decision table: what the first instance of a SOP Class waits for.

Claim: under 20 ms for the basic profile behind 30 rules. A cell is worked out when the first element of its kind is
met, so a table costs what its instances have, not what the standard could have; here all attributes of an IOD are met,
each one at the root, and in the items of its sequences too.
"""

from collections.abc import Sequence
from copy import copy
from functools import cache, partial
from itertools import product

from benchmarks import corpus
from benchmarks.scaling import conditions, profile, static
from benchmarks.setting import NOW, PSEUDONYM, Setting, in_turn, project, seconds
from benchmarks.tables import Table, rounded
from karnak.ir.selector import ElementKey
from karnak.runtime.deidentify import deidentify
from karnak.runtime.encoding import EXPLICIT
from karnak.runtime.lower import Table as Decisions
from karnak.runtime.outcome import Outcome
from karnak.runtime.program import Program
from karnak.standard import dictionary, iods

ROUNDS = 15
SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "Enhanced CT": "1.2.840.10008.5.1.4.1.1.2.1",
    "Comprehensive SR": "1.2.840.10008.5.1.4.1.1.88.33",
}
GUARDED, STATIC = 5, 25
ASKED = 20
Way = tuple[int, ...]


@cache
def attributes(sop_class_uid: str, above: Way = ()) -> dict[int, str]:
    """The attributes that an IOD has at a place, with their value representations."""
    found = {tag: dictionary.by_tag(tag) for tag in iods.attributes(sop_class_uid, above) or ()}
    return {tag: attribute.vr[0] for tag, attribute in sorted(found.items()) if attribute is not None}


def measure(setting: Setting) -> list[Table]:
    """Build tables for several SOP Classes, and for many outcomes of conditions."""
    rounds = setting.rounds(ROUNDS)
    program = profile([*conditions(GUARDED), *static(STATIC)])
    classes = dict(list(SOP_CLASSES.items())[:1]) if setting.quick else SOP_CLASSES
    taken = in_turn({name: partial(_build, program, uid, 0) for name, uid in classes.items()}, rounds)
    nested = in_turn({name: partial(_build, program, uid, 1) for name, uid in classes.items()}, rounds)
    rows = []
    for name, uid in classes.items():
        cells = [_built(program, uid, depth).cells.count for depth in (0, 1)]
        rows.append((name, str(cells[0]), rounded(taken[name] * 1e3), str(cells[1]), rounded(nested[name] * 1e3)))
    return [
        Table(
            f"A table for a new SOP Class, basic profile behind {GUARDED + STATIC} rules",
            ("all attributes of the IOD", "cells at the root", "ms", "with items of sequences", "ms"),
            rows,
        ),
        _first(program, rounds),
        _outcomes(),
    ]


def _first(program: Program, rounds: int) -> Table:
    """What the first instance of a program takes, and the next one, which has the same kinds of elements."""
    data = [corpus.instance("ct", number) for number in range(2)]
    taken = in_turn(
        {"first": partial(_instance, program, data, 0), "next": partial(_instance, program, data, 1)}, rounds
    )
    return Table(
        "Instances of a program that has no table yet, CT 535 kB in memory",
        ("", "ms"),
        [(name, rounded(took * 1e3)) for name, took in taken.items()],
    )


def _instance(program: Program, data: Sequence[bytes], which: int, number: int) -> Sequence[float]:
    iods.attribute_type.cache_clear()
    fresh, of = copy(program), project(number)
    # These are made once per program, not per table.
    assert len(fresh.conditions) == GUARDED
    assert fresh.digest == program.digest

    def run(one: bytes) -> Outcome:
        return deidentify(one, fresh, of, pseudonym=PSEUDONYM, now=NOW)

    if which:
        run(data[0])
    return [seconds(lambda: run(data[which]))]


def _build(program: Program, sop_class_uid: str, depth: int, _number: int) -> Sequence[float]:
    return [seconds(lambda: _built(program, sop_class_uid, depth))]


def _built(program: Program, sop_class_uid: str, depth: int) -> Decisions:
    """A table with a cell for every attribute of the IOD, its Types looked up for the first time."""
    iods.attribute_type.cache_clear()
    table = Decisions(program, sop_class_uid, (False,) * len(program.conditions), EXPLICIT)
    _fill(table, sop_class_uid, 1, (), depth)
    return table


def _fill(table: Decisions, sop_class_uid: str, context: int, above: Way, depth: int) -> None:
    for tag, vr in attributes(sop_class_uid, above).items():
        cell = table.fill(context, ElementKey(tag), 0, vr)
        inside = int(table.cells.arrays.columns[cell, 4])
        if depth and inside:
            _fill(table, sop_class_uid, inside, (*above, tag), depth - 1)


def _outcomes() -> Table:
    """Conditions do not multiply: only outcomes that instances have had get a table."""
    rows = []
    for seen in (1, 8, 64):
        program = profile(conditions(ASKED))
        outcomes = list(product((False, True), repeat=6))[:seen]
        for outcome in outcomes:
            program.table(SOP_CLASSES["CT"], (*outcome, *[False] * (ASKED - 6)), EXPLICIT)
        rows.append((str(ASKED), f"{2**ASKED:,}", str(seen), str(program.table_count)))
    return Table(
        "Tables of a profile with many conditions",
        ("conditions", "outcomes that are possible", "outcomes that were met", "tables"),
        rows,
    )
