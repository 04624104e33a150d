"""The checker of expressions: from syntax trees to typed trees of the IR, or findings.

A tree that passes can't fail for its types, and calls no method on a value that may be
absent. Every finding of an expression is reported; what is wrong in one part doesn't hide
what is wrong in another, and isn't reported again by the parts around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from karnak.dsl.calls import check_arguments, in_few_words
from karnak.dsl.constants import constant_parts
from karnak.dsl.findings import Findings
from karnak.dsl.narrowing import NO_FACTS, Facts, fact_of, known_when
from karnak.dsl.nodes import PlacedText
from karnak.dsl.patterns import explain_pattern
from karnak.dsl.selectors import unknown_keyword
from karnak.dsl.syntax import (
    Choice,
    Constant,
    Default,
    FunctionCall,
    Infix,
    Item,
    Member,
    Name,
    Prefix,
    Syntax,
    TagName,
    VrName,
    read_expression,
)
from karnak.dsl.types import NUMERIC, can_be_equal, can_be_ordered, fits, in_words, join
from karnak.ir import expression as ir
from karnak.ir.expression import BOOL, INT, NULL, NUMBER, STR, TAG, VR, BinaryOperator, Kind, Type, UnaryOperator
from karnak.ir.functions import FUNCTIONS, STRING_METHODS
from karnak.ir.span import Span
from karnak.standard import dictionary

_ARITHMETIC = frozenset(
    {BinaryOperator.SUBTRACT, BinaryOperator.MULTIPLY, BinaryOperator.DIVIDE, BinaryOperator.REMAINDER}
)
_ORDER = frozenset(
    {
        BinaryOperator.LESS,
        BinaryOperator.LESS_OR_EQUAL,
        BinaryOperator.GREATER,
        BinaryOperator.GREATER_OR_EQUAL,
    }
)
_CURRENT = {
    ir.CurrentName.TAG: TAG,
    ir.CurrentName.VR: VR,
    ir.CurrentName.STRING_VALUE: Type(Kind.STR, nullable=True),
}


class Place(StrEnum):
    """Where an expression stands; it decides what it may use and what it must give."""

    CONDITION = "a condition"
    ELEMENT = "expr"
    PLACEHOLDER = "a {{ placeholder }}"


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a place wants to have."""

    kind: Kind
    null: bool
    words: str


_RESULTS = {
    Place.CONDITION: _Needs(Kind.BOOL, False, "a condition must be true or false"),
    Place.ELEMENT: _Needs(Kind.ACTION, True, "expr must give an action, or null for no decision"),
    Place.PLACEHOLDER: _Needs(Kind.STR, True, "a placeholder must give a text"),
}


def _example(expression: ir.Expression) -> str:
    """How a part of an expression is shown in what to write instead."""
    return in_few_words(expression) if isinstance(expression, ir.Call | ir.Current) else "..."


def _literal(value: bool | int | float | str | None, span: Span) -> ir.Literal:
    kinds: dict[type, Type] = {bool: BOOL, int: INT, float: NUMBER, str: STR, type(None): NULL}
    return ir.Literal(value, kinds[type(value)], span)


class _Checker:
    """Checks one expression; methods give None where a finding says what is wrong."""

    def __init__(self, text: PlacedText, findings: Findings, place: Place) -> None:
        self.text = text
        self.findings = findings
        self.place = place

    def span(self, node: Syntax) -> Span:
        return self.text.at(node.start, node.end)

    def check(self, node: Syntax, facts: Facts) -> ir.Expression | None:
        """Check one node.

        Args:
            node: the syntax tree.
            facts: what is known not to be null here.
        """
        match node:
            case Constant():
                return _literal(node.value, self.span(node))
            case TagName():
                return self._tag_name(node)
            case VrName():
                return self._vr_name(node)
            case Name():
                return self._name(node, facts)
            case FunctionCall():
                return self._call(node, facts)
            case Member():
                return self._member(node, facts)
            case Prefix():
                return self._prefix(node, facts)
            case Infix():
                return self._infix(node, facts)
            case Choice():
                return self._choice(node, facts)
            case Default():
                return self._default(node, facts)
            case Item():
                return self._item(node, facts)
        raise AssertionError(node)

    def _tag_name(self, node: TagName) -> ir.Expression | None:
        attribute = dictionary.by_keyword(node.keyword)
        if attribute is None:
            unknown_keyword(node.keyword, self.findings, self.text.at(node.end - len(node.keyword), node.end))
            return None
        return ir.Literal(attribute.tag, TAG, self.span(node))

    def _vr_name(self, node: VrName) -> ir.Expression | None:
        if node.vr not in dictionary.VRS:
            span = self.text.at(node.end - len(node.vr), node.end)
            self.findings.unknown("K308", f"there is no VR {node.vr[:40]}", span, node.vr, dictionary.VRS)
            return None
        return ir.Literal(node.vr, VR, self.span(node))

    def _name(self, node: Name, facts: Facts) -> ir.Expression | None:
        name, span = node.name, self.span(node)
        if name not in list(ir.CurrentName):
            if name in FUNCTIONS:
                self.findings.add("K307", f"{name} is a function", span, f"write {name}(...)")
            else:
                known = [str(current) for current in ir.CurrentName] if self.place is Place.ELEMENT else []
                self.findings.unknown(
                    "K307",
                    f"{name[:40]} is no name of the language",
                    span,
                    name,
                    known,
                    notes=("texts stand in quotes",),
                )
            return None
        if self.place is not Place.ELEMENT:
            message = f"{name} is about one element; {self.place} is about the whole instance"
            self.findings.add("K314", message, span, "getString(#Tag.Keyword) reads a value")
            return None
        current = ir.Current(ir.CurrentName(name), _CURRENT[ir.CurrentName(name)], span)
        return replace(current, type=self._narrowed(current, facts))

    def _narrowed(self, expression: ir.Current | ir.Call, facts: Facts) -> Type:
        known = fact_of(expression) in facts
        return Type(expression.type.kind) if known else expression.type

    def _call(self, node: FunctionCall, facts: Facts) -> ir.Expression | None:
        span = self.text.at(node.start, node.start + len(node.name))
        signature = FUNCTIONS.get(node.name)
        if signature is None:
            if node.name == "T":
                self.findings.add(
                    "K315", "there are no classes: T(...) is not allowed", span, "getInt(#Tag.X) reads numbers"
                )
                return None
            known = [name for name, s in FUNCTIONS.items() if self.place is Place.ELEMENT or not s.elements_only]
            self.findings.unknown("K305", f"there is no function {node.name[:40]}", span, node.name, known)
            self._check_all(node.arguments, facts)
            return None
        if signature.elements_only and self.place is not Place.ELEMENT:
            self.findings.add("K314", f"{node.name}() decides about an element; {self.place} can't", span)
            return None
        arguments = check_arguments(self, node.name, signature, node.arguments, node, facts)
        if arguments is None:
            return None
        call = ir.Call(node.name, arguments, signature.result, self.span(node))
        return replace(call, type=self._narrowed(call, facts))

    def _check_all(self, nodes: Sequence[Syntax], facts: Facts) -> None:
        for node in nodes:
            self.check(node, facts)

    def _member(self, node: Member, facts: Facts) -> ir.Expression | None:
        inner = node.receiver
        while isinstance(inner, Member):
            inner = inner.receiver
        if isinstance(inner, FunctionCall) and inner.name == "T":
            # Nothing is worth saying about what would be done with a class.
            return self.check(inner, facts)
        receiver = self.check(node.receiver, facts)
        name = self.text.at(node.name_start, node.name_start + len(node.name))
        signature = STRING_METHODS.get(node.name)
        if signature is None:
            self.findings.unknown("K306", f"texts have no method {node.name[:40]}", name, node.name, STRING_METHODS)
            return None
        if node.arguments is None:
            self.findings.add("K301", f"{node.name} is a method", name, f"write {node.name}()")
            return None
        arguments = check_arguments(self, node.name, signature, node.arguments, node, facts)
        if receiver is None or arguments is None:
            return None
        if receiver.type.kind is not Kind.STR:
            self.findings.add(
                "K306", f"only texts have methods, and this is {in_words(receiver.type.kind)}", receiver.span
            )
            return None
        if receiver.type.nullable and not node.safe:
            self._may_be_null(receiver, f"write ?.{node.name}(...), or ask != null before")
            return None
        nullable = receiver.type.nullable and node.safe
        result = Type(signature.result.kind, signature.result.nullable or nullable)
        return ir.MethodCall(receiver, node.name, arguments, node.safe, result, self.span(node))

    def _may_be_null(self, expression: ir.Expression, hint: str) -> None:
        self.findings.add("K312", f"{in_few_words(expression)} may be absent", expression.span, hint)

    def _wants(self, expression: ir.Expression, kind: Kind) -> bool:
        """Check that a value is of a kind and never null."""
        if not fits(expression.type, Type(kind)):
            message = f"{in_words(kind)} is needed here, and this is {in_words(expression.type.kind)}"
            self.findings.add("K310", message, expression.span, self._repair(expression.type.kind, kind))
            return False
        if expression.type.nullable:
            default = {Kind.BOOL: "false", Kind.STR: "''"}.get(kind, "0")
            self._may_be_null(expression, f"give a default: ({_example(expression)} ?: {default})")
            return False
        return True

    @staticmethod
    def _repair(given: Kind, wanted: Kind) -> str:
        if given is Kind.STR and wanted in NUMERIC:
            return "getInt(#Tag.X) or getNumber(#Tag.X) reads a number"
        if given in NUMERIC and wanted is Kind.STR:
            return "write it in quotes"
        return "write #VR.XX" if wanted is Kind.VR else "write #Tag.Keyword" if wanted is Kind.TAG else ""

    def _prefix(self, node: Prefix, facts: Facts) -> ir.Expression | None:
        operand = self.check(node.operand, facts)
        if operand is None:
            return None
        if node.operator is UnaryOperator.NOT:
            return (
                ir.Unary(UnaryOperator.NOT, operand, BOOL, self.span(node)) if self._wants(operand, Kind.BOOL) else None
            )
        if not self._wants(operand, Kind.NUMBER):
            return None
        if node.operator is None:
            return operand
        if isinstance(operand, ir.Literal) and isinstance(operand.value, int | float):
            return ir.Literal(-operand.value, operand.type, self.span(node))
        return ir.Unary(UnaryOperator.NEGATE, operand, operand.type, self.span(node))

    def _infix(self, node: Infix, facts: Facts) -> ir.Expression | None:
        left = self.check(node.left, facts)
        if node.operator in (BinaryOperator.AND, BinaryOperator.OR):
            known = known_when(left, node.operator is BinaryOperator.AND) if left is not None else NO_FACTS
            right = self.check(node.right, facts | known)
            sides = [side for side in (left, right) if side is not None]
            right_types = [self._wants(side, Kind.BOOL) for side in sides]
            result = BOOL if len(sides) == 2 and all(right_types) else None
        else:
            right = self.check(node.right, facts)
            result = self._result(node, left, right) if left is not None and right is not None else None
        if result is None or left is None or right is None:
            return None
        if node.operator is BinaryOperator.ADD and isinstance(left, ir.Literal) and isinstance(right, ir.Literal):
            both = (left.value, right.value)
            if all(isinstance(value, str) for value in both):
                return ir.Literal(f"{left.value}{right.value}", STR, self.span(node))
        return ir.Binary(node.operator, left, right, result, self.span(node))

    def _result(self, node: Infix, left: ir.Expression, right: ir.Expression) -> Type | None:
        operator = node.operator
        if operator in (BinaryOperator.EQUAL, BinaryOperator.NOT_EQUAL):
            return self._equality(node, left, right)
        if operator in _ORDER:
            if can_be_ordered(left.type, right.type):
                return BOOL
            kinds = f"{in_words(left.type.kind)} and {in_words(right.type.kind)}"
            self.findings.add("K310", f"{operator} compares two numbers or two texts, not {kinds}", self.span(node))
            return None
        if operator is BinaryOperator.MATCHES:
            return self._matches(left, right)
        if operator is BinaryOperator.ADD and Kind.STR in (left.type.kind, right.type.kind):
            return self._joined([left, right])
        numbers = [self._wants(side, Kind.NUMBER) for side in (left, right)]
        return join(left.type, right.type) if all(numbers) else None

    def _equality(self, node: Infix, left: ir.Expression, right: ir.Expression) -> Type | None:
        if can_be_equal(left.type, right.type):
            return BOOL
        kinds = {left.type.kind, right.type.kind}
        hint = ""
        if Kind.VR in kinds and Kind.STR in kinds:
            text = next(
                (side.value for side in (left, right) if isinstance(side, ir.Literal) and side.type == STR), "XX"
            )
            hint = f"write #VR.{text}" if text in dictionary.VRS else "write #VR.XX"
        elif Kind.TAG in kinds:
            hint = "write #Tag.Keyword"
        elif Kind.STR in kinds and kinds & NUMERIC:
            hint = "write the number in quotes, or read it with getInt(#Tag.X)"
        message = f"{in_words(left.type.kind)} is never equal to {in_words(right.type.kind)}"
        self.findings.add("K313", message, self.span(node), hint)
        return None

    def _matches(self, left: ir.Expression, right: ir.Expression) -> Type | None:
        if left.type.kind is not Kind.STR:
            message = f"matches looks at a text, and this is {in_words(left.type.kind)}"
            self.findings.add("K310", message, left.span)
            return None
        return BOOL if self.pattern(right) else None

    def pattern(self, expression: ir.Expression) -> bool:
        """Check that a value is a regular expression, written out and readable."""
        if not isinstance(expression, ir.Literal) or not isinstance(expression.value, str):
            self.findings.add("K317", "a regular expression must be a text in quotes", expression.span)
            return False
        wrong = explain_pattern(expression.value)
        if wrong is not None:
            note = "the syntax is RE2's; before a character with a meaning of its own stands one backslash"
            self.findings.add("K316", f"the pattern can't be used: {wrong}", expression.span, notes=(note,))
        return wrong is None

    def _joined(self, sides: list[ir.Expression]) -> Type | None:
        fine = True
        for side in sides:
            if side.type.kind not in NUMERIC | {Kind.STR, Kind.NULL}:
                message = f"{in_words(side.type.kind)} can't be joined to a text"
                self.findings.add("K310", message, side.span)
                fine = False
            elif side.type.nullable:
                message = f"{in_few_words(side)} may be absent; then nothing is added"
                self.findings.add("K321", message, side.span, f"give a default: ({_example(side)} ?: '...')")
        return STR if fine else None

    def _choice(self, node: Choice, facts: Facts) -> ir.Expression | None:
        test = self.check(node.test, facts)
        if test is not None and not self._wants(test, Kind.BOOL):
            test = None
        when = {outcome: facts | (known_when(test, outcome) if test else NO_FACTS) for outcome in (True, False)}
        then, otherwise = self.check(node.then, when[True]), self.check(node.otherwise, when[False])
        if test is None or then is None or otherwise is None:
            return None
        result = join(then.type, otherwise.type)
        if result is None:
            kinds = f"{in_words(then.type.kind)}, and the other is {in_words(otherwise.type.kind)}"
            self.findings.add("K310", f"one answer of the choice is {kinds}", self.span(node))
            return None
        return ir.Conditional(test, then, otherwise, result, self.span(node))

    def _default(self, node: Default, facts: Facts) -> ir.Expression | None:
        value, default = self.check(node.value, facts), self.check(node.default, facts)
        if value is None or default is None:
            return None
        result = join(value.type, default.type)
        if result is None:
            kinds = f"{in_words(value.type.kind)}, and its default is {in_words(default.type.kind)}"
            self.findings.add("K310", f"the value is {kinds}", self.span(node))
            return None
        return ir.Elvis(value, default, Type(result.kind, default.type.nullable), self.span(node))

    def _item(self, node: Item, facts: Facts) -> ir.Expression | None:
        value, index = self.check(node.value, facts), self.check(node.index, facts)
        if value is None or index is None:
            return None
        fine = True
        if value.type.kind not in (Kind.LIST, Kind.STR):
            message = f"only lists and texts have items, and this is {in_words(value.type.kind)}"
            self.findings.add("K310", message, value.span)
            fine = False
        elif value.type.nullable:
            self._may_be_null(value, "ask != null before")
            fine = False
        if not self._wants(index, Kind.INT) or not self.position(index):
            fine = False
        return ir.Index(value, index, STR, self.span(node)) if fine else None

    def position(self, expression: ir.Expression) -> bool:
        """Check that a position that is written out is not negative."""
        if isinstance(expression, ir.Literal) and isinstance(expression.value, int) and expression.value < 0:
            self.findings.add("K323", "positions count from 0", expression.span)
            return False
        return True

    def argument(self, expression: ir.Expression, wanted: Type) -> ir.Expression | None:
        """Check an argument that is neither a tag nor a VR; a number where a text is wanted is taken as its text."""
        if isinstance(expression, ir.Literal) and wanted.kind is Kind.STR and expression.type == INT:
            return ir.Literal(str(expression.value), STR, expression.span)
        if not wanted.nullable:
            return expression if self._wants(expression, wanted.kind) else None
        if fits(expression.type, wanted):
            return expression
        return expression if self._wants(replace(expression, type=Type(expression.type.kind)), wanted.kind) else None

    def result(self, expression: ir.Expression) -> bool:
        """Check that the whole gives what its place needs."""
        needs = _RESULTS[self.place]
        kind = expression.type.kind
        if kind is not needs.kind and not (kind is Kind.NULL and needs.null and self.place is Place.ELEMENT):
            hint = ""
            if self.place is Place.ELEMENT:
                hint = "write Replace(...) around it" if kind is Kind.STR else ""
            self.findings.add("K311", f"{needs.words}, and this is {in_words(kind)}", expression.span, hint)
            return False
        if expression.type.nullable and not needs.null:
            self._may_be_null(expression, f"give a default: ({_example(expression)} ?: false)")
            return False
        return True


def check_expression(
    text: PlacedText, findings: Findings, place: Place, facts: Facts = NO_FACTS
) -> ir.Expression | None:
    """Read and check an expression.

    Args:
        text: what the author wrote.
        findings: where to note what is wrong.
        place: where it stands.
        facts: what is known not to be null whenever it is asked.

    Returns:
        The typed tree, or None where a finding says why there is none.
    """
    tree = read_expression(text, findings)
    if tree is None:
        return None
    checker = _Checker(text, findings, place)
    expression = checker.check(tree, facts)
    if expression is None or not checker.result(expression):
        return None
    if expression.type.kind is Kind.NULL:
        findings.add("K322", "this is always null: the element never decides", expression.span)
    for part, value in constant_parts(expression, place is Place.CONDITION):
        findings.add("K322", f"this is always {str(value).lower()}", part.span)
    return expression
