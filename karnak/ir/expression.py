"""Typed expression trees: what a condition, an expression or a {{ placeholder }} says.

Trees are data. The interpreter walks them; the compiler of tables folds them. Nothing in
a tree can reach anything but the functions of `karnak.ir.functions`.
"""

from dataclasses import dataclass
from enum import StrEnum

from karnak.ir.span import NOWHERE, Span


class Kind(StrEnum):
    """The kinds of value that an expression can have."""

    BOOL = "Bool"
    STR = "Str"
    INT = "Int"
    NUMBER = "Number"
    ACTION = "Action"
    TAG = "Tag"
    VR = "VR"
    LIST = "List"
    NULL = "Null"


@dataclass(frozen=True, slots=True)
class Type:
    """A kind of value, and whether the value may be null.

    Attributes:
        kind: the kind.
        nullable: True where the value can be absent; always True for Kind.NULL.
    """

    kind: Kind
    nullable: bool = False

    def __str__(self) -> str:
        return f"{self.kind}?" if self.nullable and self.kind is not Kind.NULL else str(self.kind)


BOOL = Type(Kind.BOOL)
STR = Type(Kind.STR)
INT = Type(Kind.INT)
NUMBER = Type(Kind.NUMBER)
ACTION = Type(Kind.ACTION)
TAG = Type(Kind.TAG)
VR = Type(Kind.VR)
LIST = Type(Kind.LIST)
NULL = Type(Kind.NULL, nullable=True)


class UnaryOperator(StrEnum):
    """Operators before one operand."""

    NOT = "!"
    NEGATE = "-"


class BinaryOperator(StrEnum):
    """Operators between two operands."""

    OR = "or"
    AND = "and"
    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    MATCHES = "matches"
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    REMAINDER = "%"


class CurrentName(StrEnum):
    """Names that speak of the element a rule is deciding."""

    TAG = "tag"
    VR = "vr"
    STRING_VALUE = "stringValue"


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: bool, int, float or str; None is null. A TAG is its number, a VR its two letters."""

    value: bool | int | float | str | None
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Current:
    """`tag`, `vr` or `stringValue`: something of the current element."""

    name: CurrentName
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function of `karnak.ir.functions.FUNCTIONS`; tag arguments are Literals of type TAG."""

    function: str
    arguments: tuple["Expression", ...]
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A call of a string method; `safe` (?.) gives null for a null receiver."""

    receiver: "Expression"
    method: str
    arguments: tuple["Expression", ...]
    safe: bool
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Unary:
    """An operator and its operand."""

    operator: UnaryOperator
    operand: "Expression"
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands; AND and OR leave the right one alone when the left decides."""

    operator: BinaryOperator
    left: "Expression"
    right: "Expression"
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Conditional:
    """`test ? then : otherwise`."""

    test: "Expression"
    then: "Expression"
    otherwise: "Expression"
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Elvis:
    """`value ?: default`: the default where the value is null or the empty string."""

    value: "Expression"
    default: "Expression"
    type: Type
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Index:
    """`value[i]`, counted from 0: an item of a List or a character of a Str."""

    value: "Expression"
    index: "Expression"
    type: Type
    span: Span = NOWHERE


Expression = Literal | Current | Call | MethodCall | Unary | Binary | Conditional | Elvis | Index


class Escape(StrEnum):
    """How a placeholder's value is written where it lands."""

    URL = "url"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Template:
    """Text with {{ placeholders }}: literal pieces and expressions of type Str, in order."""

    parts: tuple[str | Expression, ...]
    escape: Escape
