"""What a program decides, element by element, for one SOP Class and one outcome of its conditions.

The rows are read from the table that the engine works by: nothing is decided here.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from karnak.dsl.analysis.places import Place, all_places
from karnak.ir.expression import ACTION, Call, Expression, Literal
from karnak.ir.profile import DATE_VRS, AddElement, AddPrivateElement, BasicProfile, Evaluate, Rule
from karnak.ir.selector import ElementKey, is_private_creator
from karnak.ir.tree import calls, parts
from karnak.runtime.always_set import always_set
from karnak.runtime.conditions import Bits, holding
from karnak.runtime.decision import Verb
from karnak.runtime.deeds import Deeds
from karnak.runtime.deidentify import Mode
from karnak.runtime.encoding import Encoding
from karnak.runtime.keys import Project
from karnak.runtime.lower import Table
from karnak.runtime.program import Program
from karnak.runtime.rejection import Rejected
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE
from karnak.runtime.table import Context, Op, Verdict
from karnak.standard import iods
from karnak.standard.dictionary import VRS
from karnak.standard.iods import AttributeType

ALWAYS = "(always)"
EXPRESSION = "expression"
_EXPLICIT = Encoding(implicit=False, little_endian=True)
# Where any VR is possible, this one stands for all that are not treated differently.
_USUAL_VR = "LO"
_GONE = (Verb.REMOVE, Verb.EMPTY)
# In items of sequences that stay, these are done to what no rule speaks of.
_INHERITED = (Verb.DUMMY, Verb.UID, Verb.REPLACE, Verb.SHIFT)


@dataclass(frozen=True, slots=True)
class Answer:
    """Something that is decided for an element.

    Attributes:
        decision: "keep", "remove", "empty", "uid", "dummy", "shift", "truncate", "replace", "exclude", "set" or "add";
            "expression" where only an instance can tell.
        rule: name of the profile element that decides, ALWAYS, or None where none does.
        line: line of that element in the profile, or 0.
        case: when it holds: "" always, "otherwise" where no expression before decides, "if absent".
        note: more that is to be known of it, or "".
        asks: the expression that is asked, or None.
    """

    decision: str
    rule: str | None = None
    line: int = 0
    case: str = ""
    note: str = ""
    asks: Expression | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """An element, or all that a pattern stands for.

    Attributes:
        place: where it is.
        vrs: value representations that the answers are for; empty for any, or any that has no row of its own.
        kind: its Type in the IOD, or None.
        answers: what is decided, in the order in which it is asked.
    """

    place: Place
    vrs: tuple[str, ...]
    kind: AttributeType | None
    answers: tuple[Answer, ...]


def decisions(
    program: Program, sop_class_uid: str, holds: Bits, *, mode: Mode = "deid", nested: bool = False
) -> Iterator[Row]:
    """Say what a program decides.

    Args:
        program: the compiled profile.
        sop_class_uid: SOP Class of the instances; an unknown one is decided as strictly as the profile allows.
        holds: how each of the program's conditions comes out, None for one that cannot be evaluated.
        mode: "deid" also sets what de-identification always sets.
        nested: also say what is decided in items of the sequences that stay.

    Yields:
        Rows in the order of tags; what sums up all others comes last.
    """
    table = program.table(sop_class_uid, holds, _EXPLICIT)
    always = _always(program, table) if mode == "deid" else {}
    added = _additions(table)
    places = all_places(program.profile.rules, table.edition, sop_class_uid, (*always, *added), nested=nested)
    walk = _Walk(table)
    for place in places:
        tags = tuple(key.tag for key in place.path)
        kind = iods.attribute_type(sop_class_uid, tags)
        if len(tags) == 1 and tags[0] in always:
            yield Row(place, place.vrs, kind, (always[tags[0]],))
            continue
        more = added.get(tags[0], ()) if len(tags) == 1 else ()
        for vrs, answers in walk.by_vr(place):
            yield Row(place, vrs, kind, (*answers, *more))


class _Walk:
    """The table, walked from the root as the engine does; what was found out about sequences is kept."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._inside: dict[tuple[ElementKey, ...], Context | None] = {(): table.contexts[0]}
        self._any_vr = _told_apart(table)

    def by_vr(self, place: Place) -> list[tuple[tuple[str, ...], tuple[Answer, ...]]]:
        """The answers for a place, for value representations that are treated alike; nothing where it is gone."""
        alike: dict[tuple[Answer, ...], list[str]] = {}
        for vr in place.vrs or self._any_vr:
            alike.setdefault(self.answers(place.path, vr), []).append(vr)
        return [
            (() if not place.vrs and _USUAL_VR in vrs else tuple(vrs), answers)
            for answers, vrs in alike.items()
            if answers
        ]

    def answers(self, path: tuple[ElementKey, ...], vr: str) -> tuple[Answer, ...]:
        """What is decided for one element; nothing where it is gone with a sequence around it."""
        context = self._context(path[:-1])
        if context is None:
            return ()
        if is_private_creator(path[-1].tag) and vr != "SQ":
            return (Answer("keep", note="as long as its block"),)
        return _said(self._table, self._table.verdict(context, path[-1], vr))

    def _context(self, path: tuple[ElementKey, ...]) -> Context | None:
        """The context of the items of a sequence, or None where it does not stay."""
        if path not in self._inside:
            around = self._context(path[:-1])
            self._inside[path] = None if around is None else self._below(around, path[-1])
        return self._inside[path]

    def _below(self, around: Context, key: ElementKey) -> Context | None:
        verdict = self._table.verdict(around, key, "SQ")
        gone = verdict.decision is not None and verdict.decision.verb in _GONE
        if not verdict.steps and (gone or self._table.op(verdict)[0] is Op.CONSTANT):
            return None
        return self._table.contexts[self._table.child(verdict) - 1]


def _told_apart(table: Table) -> tuple[str, ...]:
    """The VRs that rules may treat differently, the usual one first; sequences have rows of their own."""
    if table.expressions:
        return (_USUAL_VR, *sorted(VRS - {_USUAL_VR, "SQ"}))
    by_vr = any(rule.selector.vrs or isinstance(rule.effect, BasicProfile) for rule in table.rules)
    return (_USUAL_VR, *sorted(DATE_VRS)) if by_vr else (_USUAL_VR,)


def _said(table: Table, verdict: Verdict) -> tuple[Answer, ...]:
    asked: list[Answer] = []
    for step in verdict.steps:
        asked.append(_by(EXPRESSION, step.rule, asks=_expression(step.rule)))
        if step.expression.type == ACTION and not calls(step.expression, "Add"):
            # It decides in any case: nothing is left for those behind it.
            return tuple(asked)
    decision, case = verdict.decision, "otherwise" if asked else ""
    if decision is None:
        return (*asked, Answer("keep", case=case))
    note = "" if verdict.index is not None else "as the sequence around it"
    if verdict.vr == "SQ" and decision.own_rows:
        return (*asked, _by("keep", decision.rule, case=case, note="for the UIDs in it"))
    if verdict.vr == "SQ" and decision.verb in _INHERITED and not note:
        whole = table.op(verdict)[0] is Op.CONSTANT
        note = "unless a rule speaks of what is inside" if whole else "what is inside"
    return (*asked, _by(str(decision.verb), decision.rule, case=case, note=note))


def _by(decision: str, rule: Rule | None, case: str = "", note: str = "", asks: Expression | None = None) -> Answer:
    name, line = (rule.name, rule.span.line) if rule is not None else (None, 0)
    return Answer(decision, name, line, case, note, asks)


def _expression(rule: Rule) -> Expression | None:
    return rule.effect.expression if isinstance(rule.effect, Evaluate) else None


def _additions(table: Table) -> dict[int, list[Answer]]:
    """What rules add at the root, by tag."""
    found: dict[int, list[Answer]] = defaultdict(list)
    for rule in table.additions:
        effect = rule.effect
        assert isinstance(effect, AddElement | AddPrivateElement)
        allowed = iods.has_attribute(table.sop_class_uid, effect.tag) if isinstance(effect, AddElement) else True
        if allowed is None:
            found[effect.tag].append(_by("reject", rule, "if absent", "nobody knows whether the SOP Class has it"))
        elif allowed:
            found[effect.tag].append(_by("add", rule, "if absent"))
    for rule in holding(table.rules, table.guards):
        for tag in sorted(_added_by(_expression(rule))):
            found[tag].append(_by("add", rule, "if absent", "where its expression asks for it"))
    return found


def _added_by(node: Expression | None) -> set[int]:
    """The tags that an expression may add."""
    if node is None:
        return set()
    found = {tag for part in parts(node) for tag in _added_by(part)}
    match node:
        case Call("Add", (Literal(int(tag)), *_)):
            found.add(tag)
    return found


def _always(program: Program, table: Table) -> dict[int, Answer]:
    """What de-identification always sets and removes, by tag."""
    deeds = Deeds(table.basic is not None, table.basic.options if table.basic is not None else frozenset())
    now, nobody = datetime(2000, 1, 1, tzinfo=UTC), Project("-", bytes(16))
    try:
        elements, removed = always_set(deeds, program, nobody, "-", now, _EXPLICIT, DEFAULT_REPERTOIRE)
    except Rejected:
        # The profile's name is no value: every instance is rejected, with the reason.
        return {}
    return {tag: Answer("set", ALWAYS) for tag in elements} | {tag: Answer("remove", ALWAYS) for tag in removed}
