"""Expressions: from text to a syntax tree, with sentences for every way to get one wrong.

The tree says what is written and knows its places; it has no types yet. Reading takes time
linear in the text and no stack, whatever the text is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from lark import Token, Transformer, v_args

from karnak.dsl.findings import Findings
from karnak.dsl.grammars import Unparsable, parse
from karnak.dsl.nodes import PlacedText
from karnak.ir.expression import BinaryOperator, UnaryOperator

MAX_LENGTH = 4096
MAX_DEPTH = 100

_WORDS_FOR = {"eq": "==", "ne": "!=", "le": "<=", "ge": ">=", "lt": "<", "gt": ">"}


@dataclass(frozen=True, slots=True)
class Syntax:
    """What all parts of a tree have.

    Attributes:
        start: offset of the first character in the text.
        end: offset after the last character.
        depth: how many levels there are, this one included.
    """

    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Constant(Syntax):
    """A text, a number, true, false or null."""

    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class TagName(Syntax):
    """#Tag.Keyword"""

    keyword: str


@dataclass(frozen=True, slots=True)
class VrName(Syntax):
    """#VR.XX"""

    vr: str


@dataclass(frozen=True, slots=True)
class Name(Syntax):
    """A word without brackets."""

    name: str


@dataclass(frozen=True, slots=True)
class FunctionCall(Syntax):
    """name(arguments)"""

    name: str
    arguments: tuple[Syntax, ...]


@dataclass(frozen=True, slots=True)
class Member(Syntax):
    """receiver.name(arguments) or receiver?.name(arguments); without brackets, arguments is None."""

    receiver: Syntax
    name: str
    name_start: int
    arguments: tuple[Syntax, ...] | None
    safe: bool


@dataclass(frozen=True, slots=True)
class Prefix(Syntax):
    """An operator before a value."""

    operator: UnaryOperator | None
    operand: Syntax


@dataclass(frozen=True, slots=True)
class Infix(Syntax):
    """An operator between two values."""

    operator: BinaryOperator
    left: Syntax
    right: Syntax


@dataclass(frozen=True, slots=True)
class Choice(Syntax):
    """test ? then : otherwise"""

    test: Syntax
    then: Syntax
    otherwise: Syntax


@dataclass(frozen=True, slots=True)
class Default(Syntax):
    """value ?: default"""

    value: Syntax
    default: Syntax


@dataclass(frozen=True, slots=True)
class Item(Syntax):
    """value[index]"""

    value: Syntax
    index: Syntax


def _above(*parts: Syntax) -> int:
    return 1 + max((part.depth for part in parts), default=0)


def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0


def _chain(operator: BinaryOperator, parts: Sequence[Syntax]) -> Syntax:
    """Join operands of `or` or `and`; as a balanced tree, since the order of asking stays the same."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = _chain(operator, parts[:middle]), _chain(operator, parts[middle:])
    return Infix(left.start, right.end, _above(left, right), operator, left, right)


@v_args(inline=True)
class _TreeBuilder(Transformer[Token, Any]):
    """Grammar's rules -> syntax tree."""

    def either(self, *parts: Syntax) -> Syntax:
        return _chain(BinaryOperator.OR, parts)

    def both(self, *parts: Syntax) -> Syntax:
        return _chain(BinaryOperator.AND, parts)

    def conditional(self, test: Syntax, then: Syntax, otherwise: Syntax) -> Syntax:
        return Choice(test.start, otherwise.end, _above(test, then, otherwise), test, then, otherwise)

    def elvis(self, value: Syntax, default: Syntax) -> Syntax:
        return Default(value.start, default.end, _above(value, default), value, default)

    def infix(self, left: Syntax, operator: Token, right: Syntax) -> Syntax:
        word = operator.lower()
        kind = BinaryOperator(_WORDS_FOR.get(word, word))
        return Infix(left.start, right.end, _above(left, right), kind, left, right)

    def prefix(self, operator: Token, operand: Syntax) -> Syntax:
        kind = {"-": UnaryOperator.NEGATE, "+": None}.get(str(operator), UnaryOperator.NOT)
        return Prefix(_start(operator), operand.end, _above(operand), kind, operand)

    def arguments(self, *arguments: Syntax) -> tuple[Syntax, ...]:
        return arguments

    def method(self, receiver: Syntax, name: Token, arguments: tuple[Syntax, ...], end: Token) -> Syntax:
        depth = _above(receiver, *arguments)
        return Member(receiver.start, _end(end), depth, receiver, str(name), _start(name), arguments, False)

    def safe_method(self, receiver: Syntax, name: Token, arguments: tuple[Syntax, ...], end: Token) -> Syntax:
        depth = _above(receiver, *arguments)
        return Member(receiver.start, _end(end), depth, receiver, str(name), _start(name), arguments, True)

    def property(self, receiver: Syntax, name: Token) -> Syntax:
        return Member(receiver.start, _end(name), _above(receiver), receiver, str(name), _start(name), None, False)

    def item(self, value: Syntax, index: Syntax, end: Token) -> Syntax:
        return Item(value.start, _end(end), _above(value, index), value, index)

    def text(self, token: Token) -> Syntax:
        quote = token[0]
        return Constant(_start(token), _end(token), 1, token[1:-1].replace(quote * 2, quote))

    def decimal(self, token: Token) -> Syntax:
        return Constant(_start(token), _end(token), 1, float(token))

    def integer(self, token: Token) -> Syntax:
        return Constant(_start(token), _end(token), 1, int(token))

    def true(self, token: Token) -> Syntax:
        return Constant(_start(token), _end(token), 1, True)

    def false(self, token: Token) -> Syntax:
        return Constant(_start(token), _end(token), 1, False)

    def null(self, token: Token) -> Syntax:
        return Constant(_start(token), _end(token), 1, None)

    def tag(self, token: Token) -> Syntax:
        return TagName(_start(token), _end(token), 1, token.removeprefix("#Tag."))

    def vr(self, token: Token) -> Syntax:
        return VrName(_start(token), _end(token), 1, token.removeprefix("#VR."))

    def name(self, token: Token) -> Syntax:
        return Name(_start(token), _end(token), 1, str(token))

    def call(self, name: Token, arguments: tuple[Syntax, ...], end: Token) -> Syntax:
        return FunctionCall(_start(name), _end(end), _above(*arguments), str(name), arguments)

    def bracketed(self, begin: Token, inner: Syntax, end: Token) -> Syntax:
        return replace(inner, start=_start(begin), end=_end(end))


_BRACKETS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|['"()\[\]]""")
_PARTNER = {")": "(", "]": "["}


def _balanced(text: PlacedText, findings: Findings) -> bool:
    """Check quotes, brackets and their depth before the grammar sees the text; it can say where each was opened."""
    opened: list[int] = []
    for match in _BRACKETS.finditer(text.text):
        mark, at = match[0], match.start()
        place = text.at(at, at + 1)
        if mark in ("'", '"'):
            note = "a quote inside a text is written twice; a backslash is a plain character"
            hint = f"write {mark} at the end of the text"
            findings.add("K303", "this quote is never closed", place, hint, notes=(note,))
            return False
        if mark in "([":
            opened.append(at)
            if len(opened) > MAX_DEPTH:
                findings.add("K304", f"brackets are nested more than {MAX_DEPTH} deep", place)
                return False
        elif mark in _PARTNER:
            if not opened or text.text[opened[-1]] != _PARTNER[mark]:
                findings.add("K302", f"there is no {_PARTNER[mark]} for this {mark}", place)
                return False
            opened.pop()
    if opened:
        bracket = text.text[opened[-1]]
        partner = ")" if bracket == "(" else "]"
        message = f"the bracket {bracket} is never closed"
        findings.add("K302", message, text.at(opened[-1], opened[-1] + 1), f"write {partner} after what belongs to it")
        return False
    return True


_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[#@]?[A-Za-z_][\w.]*|[0-9.]+|[?][:.]|[=!<>]=|&&|\|\||.""", re.DOTALL
)
_LAST_TOKEN = re.compile(r"(?:[A-Za-z_]\w*|\S)\s*$")
_OPERAND_END = re.compile(r"""[\w'")\]]$""")
_OPERATOR_WORDS = frozenset("or and not eq ne lt le gt ge matches".split())
_SPEL_ONLY = {
    "instanceof": "there are no classes",
    "between": "write a >= b and a <= c",
    "new": "there are no constructors",
}
_INSTEAD = {
    "=": "== compares",
    "&": "write && or and",
    "|": "write || or or",
    "~": "write ! or not",
    "^": "there is no power",
    "div": "write /",
    "mod": "write %",
    "is": "write ==",
}
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_REACHES_OUT = {
    "@": "there are no beans",
    "{": "there are no lists or maps",
    "#": "after # comes Tag. or VR., as in #Tag.PatientName or #VR.DA",
    "$": "there are no properties",
}


def _explain(text: PlacedText, at: int, findings: Findings) -> None:
    """Say in people's words why the grammar stops at an offset."""
    code = text.text
    rest = _TOKEN.match(code, at)
    before = _LAST_TOKEN.search(code[:at])
    previous = before[0].strip() if before else ""
    after_value = bool(_OPERAND_END.search(previous)) and previous.lower() not in _OPERATOR_WORDS
    if rest is None:
        place = text.at(before.start(), len(code.rstrip())) if before else text.inner
        findings.add("K301", f"something is missing after {previous}", place, "write what comes next")
        return
    token = rest[0]
    place = text.at(at, rest.end())
    head, word = token[0], token.split(".")[0].lower()
    if previous == "new" or word in _SPEL_ONLY:
        hint = _SPEL_ONLY.get(word, _SPEL_ONLY["new"])
        findings.add("K315", "expressions reach their own functions only", place, hint)
    elif head in _REACHES_OUT:
        findings.add("K315", f"{token[:40]} can't stand in an expression", place, _REACHES_OUT[head])
    elif word in _INSTEAD or head in _INSTEAD:
        findings.add("K301", f"{token[:40]} is no operator", place, _INSTEAD.get(word, _INSTEAD.get(head, "")))
    elif word.startswith("x") and previous == "0":
        message = "there are no hexadecimal numbers"
        findings.add("K301", message, text.at(at - 1, rest.end()), "a tag is #Tag.Keyword or '(gggg,eeee)'")
    elif after_value and (token in _COMPARISONS or word in _WORDS_FOR or word == "matches"):
        findings.add("K301", f"a second comparison: {token}", place, "compare two things at a time, joined with and")
    elif after_value and (head.isalnum() or head in "'\"_"):
        findings.add("K301", f"an operator is missing before {token[:40]}", place)
    elif head == "\\":
        findings.add("K301", "a backslash stands in texts only", place)
    elif (head == "?" and after_value) or head == ":":
        findings.add("K301", f"{token[:40]} can't stand here", place, "a choice is test ? then : otherwise")
    elif after_value:
        findings.add("K301", f"{token[:40]} can't stand here", place)
    else:
        what = f" between {previous} and {token[:40]}" if previous else f" before {token[:40]}"
        findings.add("K301", f"a value is missing{what}", place)


def read_expression(text: PlacedText, findings: Findings) -> Syntax | None:
    """Read an expression.

    Args:
        text: what the author wrote.
        findings: where to note what is wrong.

    Returns:
        The tree, at most MAX_DEPTH levels deep, or None where a finding says why there is none.
    """
    if not text.text.strip():
        findings.add("K320", "an expression is missing here", text.inner)
        return None
    if len(text.text) > MAX_LENGTH:
        findings.add("K304", f"an expression has at most {MAX_LENGTH} characters", text.inner)
        return None
    if not _balanced(text, findings):
        return None
    try:
        tree: Syntax = parse("expression", _TreeBuilder, text.text)
    except Unparsable as error:
        _explain(text, error.at, findings)
        return None
    if tree.depth > MAX_DEPTH:
        findings.add("K304", f"more than {MAX_DEPTH} operations are nested", text.inner, "split the rule in two")
        return None
    return tree
