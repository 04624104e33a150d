"""Profile -> table: the first-match walk through the rules, done once per kind of element instead of per element.

Partial evaluation: the SOP Class and the conditions are known, so the rules that cannot apply fall away, types
settle combined actions, and expressions shrink to the part that reads a value. What a cell says is what the
interpreter would decide. Source: the language page, sections 3 to 5.
"""

import struct
from dataclasses import replace

from karnak.ir.expression import ACTION, Expression
from karnak.ir.profile import (
    DATE_VRS,
    Action,
    AddElement,
    AddPrivateElement,
    Apply,
    BasicProfile,
    DatePart,
    Evaluate,
    Rule,
    Shift,
    ShiftByTag,
    ShiftRange,
    TruncateDate,
)
from karnak.ir.selector import ElementKey, is_private
from karnak.ir.tree import calls, without_spans
from karnak.runtime.amounts import MODIFIED_DATES
from karnak.runtime.basic import Shifted, basic_action
from karnak.runtime.conditions import Bits, holding
from karnak.runtime.decision import VERBS, Decision, Verb
from karnak.runtime.deeds import Deeds
from karnak.runtime.dummies import CONTENT_SEQUENCE, content_items
from karnak.runtime.encode import encode_items
from karnak.runtime.encoding import IMPLICIT, NUMBER_CODES, TEXT_VRS, Encoding, leaf
from karnak.runtime.expressions import compile_expression
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE
from karnak.runtime.specialise import Cell, Known, specialise
from karnak.runtime.table import (
    MAX_CELLS,
    MAX_CONTEXTS,
    VR_NUMBERS,
    Cells,
    Context,
    Flag,
    Making,
    Op,
    Role,
    Step,
    Verdict,
    Way,
    cell_key,
)
from karnak.runtime.transform import transform
from karnak.runtime.values import Surroundings
from karnak.standard import iods
from karnak.standard.confidentiality import table

ROOT_CONTEXT = 1
# VRs that have one dummy, whatever the value.
_CONSTANT_DUMMIES = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UN", "UT", "UC", "UR", "DS", "IS"})


class TableFull(Exception):
    """A table would outgrow its bounds; the interpreter takes the instance."""


class Table:
    """What a program does to instances of one SOP Class under one outcome of its conditions.

    Args:
        program: the compiled profile.
        sop_class_uid: SOP Class, or None.
        bits: how each of the program's conditions has come out.
        encoding: how the datasets are encoded; constants that are sequences depend on it.
    """

    def __init__(
        self,
        program: Program,
        sop_class_uid: str | None,
        bits: Bits,
        encoding: Encoding,
    ) -> None:
        self.rules = program.profile.rules
        self.edition = table(program.edition)
        self.sop_class_uid = sop_class_uid
        self.candidates = program.candidates
        self.guards = program.conditions.guards(bits)
        self.conditions = program.conditions.inside(bits)
        self.encoding = encoding
        self.has_paths = any(rule.selector.has_paths for rule in self.rules)
        self.expressions = {
            index: without_spans(rule.effect.expression)
            for index, rule in enumerate(self.rules)
            if isinstance(rule.effect, Evaluate)
        }
        holds = holding(self.rules, self.guards)
        # The basic profile that applies, with its options, and the rules that add elements.
        self.basic = next((rule.effect for rule in holds if isinstance(rule.effect, BasicProfile)), None)
        self.additions = [rule for rule in holds if isinstance(rule.effect, AddElement | AddPrivateElement)]
        self.cells = Cells()
        # How far dates move, by the numbers that cells have for it.
        self.amounts: list[Shift | ShiftRange | ShiftByTag] = []
        self.contexts: list[Context] = []
        self._context_numbers: dict[object, int] = {}
        # Cells that answers have led to, by the cell that asked, the position of the rule that decided, and its verb.
        self._answered: dict[tuple[int, int | None, Verb | None], int] = {}
        self.context_number(Context(len(self.rules) - 1, None, ()))

    def context_number(self, context: Context) -> int:
        """The number of a context, from 1; contexts that decide alike share one."""
        tags = tuple(key.tag for key in context.path)
        inherited = context.inherited
        key = (
            context.limit,
            inherited and (inherited.verb, inherited.text, inherited.amount, inherited.part, id(inherited.rule)),
            iods.place(self.sop_class_uid, tags),
            context.path if self.has_paths else None,
        )
        number = self._context_numbers.get(key)
        if number is None:
            if len(self.contexts) + 1 >= MAX_CONTEXTS:
                raise TableFull
            self.contexts.append(context)
            number = self._context_numbers[key] = len(self.contexts)
        return number

    def fill(self, context_number: int, key: ElementKey, creator_number: int, vr: str, role: Role | None = None) -> int:
        """Work out a cell.

        Args:
            context_number: the context of its dataset.
            key: tag and private creator.
            creator_number: the creator's number in the executor, 0 for none.
            vr: value representation, "SQ" for a sequence.
            role: what it is to those who carry the verdict out; None for a sequence or a leaf, as the VR says.

        Returns:
            The cell's number.

        Raises:
            TableFull: the table has no room for it.
        """
        cell = cell_key(context_number, creator_number, VR_NUMBERS["UN" if role is Role.UNREAD else vr], key.tag)
        number = self.cells.number(cell)
        if number >= 0:
            return number
        if self.cells.count >= MAX_CELLS:
            raise TableFull
        context = self.contexts[context_number - 1]
        verdict = self.verdict(context, key, vr, role)
        op, constant, flags = self.op(verdict)
        child = self.child(verdict) if verdict.role is Role.SEQUENCE else 0
        making = self.making(verdict) if op is Op.CALL else Making()
        return self.cells.add(cell, verdict, op, vr, constant, child, flags, making, self.implicit(verdict, op))

    def answered(self, cell: int, step: Step | None, verb: Verb | None) -> int:
        """The cell for elements of a cell whose expressions have been asked.

        Texts and amounts are not part of it: they are those of an instance, whose `Maker` knows them.

        Args:
            cell: number of the cell that asks.
            step: the expression that decides, or None where none does.
            verb: what it decides; None where the instance goes no further, for an expression fails or excludes it.

        Returns:
            The cell's number.

        Raises:
            TableFull: the table has no room for it.
        """
        key = cell, None if step is None else step.index, verb
        number = self._answered.get(key)
        if number is not None:
            return number
        if self.cells.count >= MAX_CELLS:
            raise TableFull
        verdict = replace(self.cells.verdicts[cell], steps=())
        if step is not None:
            verdict = replace(verdict, index=step.index, decision=Decision(verb or Verb.EXCLUDE, step.rule))
        decision, child = verdict.decision, 0
        if decision is not None and decision.verb is Verb.EXCLUDE:
            op, constant, flags = Op.REMOVE, b"", 0
        elif verdict.role is Role.SEQUENCE:
            op, constant, flags = self.op(verdict)
            child = self.child(verdict)
        else:
            # Its value is made, and noted then.
            removes = decision is not None and decision.verb is Verb.REMOVE
            op, constant, flags = Op.REMOVE if removes else Op.KEEP, b"", _spoken(verdict)
        implicit = self.implicit(verdict, op)
        number = self.cells.add(None, verdict, op, verdict.vr, constant, child, flags, Making(), implicit)
        self._answered[key] = number
        return number

    def implicit(self, verdict: Verdict, op: Op) -> bytes:
        """The items that a cell of an Explicit VR dataset has for a sequence that lies within Implicit VR."""
        if op is not Op.CONSTANT or verdict.role is not Role.SEQUENCE or self.encoding.implicit:
            return b""
        return encode_items(content_items(IMPLICIT))

    def verdict(self, context: Context, key: ElementKey, vr: str, role: Role | None = None) -> Verdict:
        """Walk through the rules as the interpreter does, for all elements of a cell at once."""
        role = role or (Role.SEQUENCE if vr == "SQ" else Role.LEAF)
        path = (*context.path, key)
        steps: list[Step] = []
        for index in self.candidates.of(key.tag):
            if index > context.limit:
                break
            rule = self.rules[index]
            if not self.guards[index] or not rule.selector.selects(path, vr):
                continue
            decision: Decision | None = None
            if isinstance(rule.effect, Evaluate):
                cell = Cell(key.tag, vr, not _has_text(vr), self.conditions)
                answer = specialise(self.expressions[index], cell)
                if not isinstance(answer, Known):
                    steps.append(_step(index, rule, answer))
                    continue
                if isinstance(answer.value, Decision) and answer.value.verb is Verb.ADD:
                    steps.append(
                        Step(index, rule, self.expressions[index], compile_expression(self.expressions[index]))
                    )
                    continue
                decision = answer.value if isinstance(answer.value, Decision) else None
            else:
                decision = self.decision(index, path, vr)
            if decision is not None:
                return Verdict(tuple(steps), replace(decision, rule=rule), index, key, vr, context, role)
        return Verdict(tuple(steps), context.inherited, None, key, vr, context, role)

    def decision(self, index: int, path: tuple[ElementKey, ...], vr: str) -> Decision | None:
        """What a rule without an expression says; amounts depend on the patient and are put in per instance."""
        match self.rules[index].effect:
            case Apply(action):
                return Decision(VERBS[action])
            case BasicProfile(options):
                answer = basic_action(self.edition, options, self.sop_class_uid, path, vr)
                if isinstance(answer, Shifted):
                    return Decision(Verb.SHIFT)
                if answer is None:
                    return None
                return Decision(VERBS[answer], own_rows=answer is Action.UID and vr == "SQ")
            case Shift() | ShiftRange() | ShiftByTag():
                return Decision(Verb.SHIFT) if vr in DATE_VRS else None
            case TruncateDate(part):
                return Decision(Verb.TRUNCATE, part=part) if vr in ("DA", "DT") else None
            case _:
                return None

    def child(self, verdict: Verdict) -> int:
        """The context of the items of a sequence that stays."""
        context, path = verdict.context, (*verdict.context.path, verdict.key)
        if verdict.index is None:
            inner = Context(context.limit, context.inherited, path)
        else:
            inner = Context(verdict.index, verdict.decision, path)
        if inner.inherited is not None and inner.inherited.own_rows:
            inner = replace(inner, inherited=None)
        return self.context_number(inner)

    def op(self, verdict: Verdict) -> tuple[Op, bytes, int]:
        """What the executor does for a verdict: the op, the bytes of a constant, the flags."""
        if verdict.role is Role.CREATOR:
            return self.creator_op(verdict)
        decision, vr, tag = verdict.decision, verdict.vr, verdict.key.tag
        if verdict.steps:
            # Whether a private block keeps its creator, and what a sequence's items inherit, must be known before.
            before = verdict.role is Role.SEQUENCE or (is_private(tag) and _may_remove(verdict))
            return (Op.ASK if before else Op.CALL), b"", _spoken(verdict)
        if decision is None:
            return Op.KEEP, b"", _flags(verdict, None, vr)
        if decision.verb is Verb.EXCLUDE:
            return Op.CALL, b"", 0
        flags = _flags(verdict, decision, vr)
        if decision.verb is Verb.REMOVE:
            return Op.REMOVE, b"", flags
        if decision.verb is Verb.EMPTY:
            return Op.EMPTY, b"", flags
        if verdict.role is Role.UNREAD:
            return (Op.KEEP if decision.verb is Verb.KEEP else Op.EMPTY), b"", flags
        if vr == "SQ":
            if _replaces_content(verdict, decision):
                return Op.CONSTANT, encode_items(content_items(self.encoding)), flags
            return Op.KEEP, b"", flags
        if decision.verb is Verb.KEEP:
            return Op.KEEP, b"", flags
        if decision.verb is Verb.DUMMY and vr in _CONSTANT_DUMMIES:
            made = transform(decision, leaf(tag, vr, b""), vr, _SURROUNDINGS)
            return Op.CONSTANT, (made.value or b"") if made else b"", flags
        return Op.CALL, b"", _spoken(verdict)

    def creator_op(self, verdict: Verdict) -> tuple[Op, bytes, int]:
        """What the executor does with a private creator that reserves nothing."""
        decision = verdict.decision
        rule = None if decision is None else decision.rule
        by_tag = rule is not None and isinstance(rule.effect, ShiftByTag)
        if verdict.steps or by_tag or (decision is not None and decision.verb is Verb.EXCLUDE):
            return Op.CALL, b"", _spoken(verdict)
        keeps = decision is None or decision.verb is Verb.KEEP
        return (Op.KEEP if keeps else Op.REMOVE), b"", _flags(verdict, decision, "LO")

    def making(self, verdict: Verdict) -> Making:
        """How compiled code makes the values of a cell, where they have the common form."""
        decision, vr = verdict.decision, verdict.vr
        if verdict.steps or decision is None or verdict.role is not Role.LEAF:
            return Making()
        if vr == "UI" and decision.verb in (Verb.UID, Verb.DUMMY):
            return Making(Way.UID)
        if vr in NUMBER_CODES and decision.verb is Verb.DUMMY:
            return Making(Way.ZEROS, struct.calcsize(NUMBER_CODES[vr]))
        if vr not in DATE_VRS:
            return Making()
        did = _flags(verdict, decision, vr)
        if decision.verb is Verb.TRUNCATE and decision.part is not None:
            return Making(Way.TRUNCATED, 6 if decision.part is DatePart.DAY else 4, did)
        effect = _moves(decision)
        if effect is None:
            return Making()
        if effect not in self.amounts:
            self.amounts.append(effect)
        return Making(Way.MOVED, self.amounts.index(effect), did)


def _moves(decision: Decision) -> Shift | ShiftRange | ShiftByTag | None:
    """By how much a decision moves dates, None where it does not."""
    if decision.verb is Verb.DUMMY:
        return MODIFIED_DATES
    if decision.verb is not Verb.SHIFT:
        return None
    if decision.amount is not None:
        return Shift(decision.amount.days, decision.amount.seconds)
    effect = None if decision.rule is None else decision.rule.effect
    if isinstance(effect, BasicProfile):
        return MODIFIED_DATES
    return effect if isinstance(effect, Shift | ShiftRange | ShiftByTag) else None


def _step(index: int, rule: Rule, expression: Expression) -> Step:
    return Step(index, rule, expression, compile_expression(expression))


def _may_remove(verdict: Verdict) -> bool:
    for step in verdict.steps:
        if calls(step.expression, "Remove"):
            return True
        if step.expression.type == ACTION and not calls(step.expression, "Add"):
            # It decides in any case.
            return False
    return verdict.decision is not None and verdict.decision.verb is Verb.REMOVE


def _has_text(vr: str) -> bool:
    return vr in TEXT_VRS or vr in NUMBER_CODES or vr == "AT"


def _replaces_content(verdict: Verdict, decision: Decision) -> bool:
    basic = decision.rule is not None and isinstance(decision.rule.effect, BasicProfile)
    return basic and verdict.index is not None and decision.verb is Verb.DUMMY and verdict.key.tag == CONTENT_SEQUENCE


def _flags(verdict: Verdict, decision: Decision | None, vr: str) -> int:
    deeds = Deeds()
    deeds.note(verdict.key, vr, decision)
    return (
        deeds.dates_moved * Flag.DATES_MOVED
        | deeds.dates_lost * Flag.DATES_LOST
        | deeds.private_kept * Flag.PRIVATE_KEPT
        | deeds.private_unsafe * Flag.PRIVATE_UNSAFE
        | _spoken(verdict)
    )


def _spoken(verdict: Verdict) -> int:
    decision = verdict.decision
    if verdict.index is None or decision is None or decision.rule is None:
        return 0
    return 0 if isinstance(decision.rule.effect, BasicProfile) else Flag.SPOKEN


# Constant dummies depend on nothing around them.
_SURROUNDINGS = Surroundings(Project("", bytes(16)), "", Encoding(False, True), DEFAULT_REPERTOIRE, DEFAULT_REPERTOIRE)
