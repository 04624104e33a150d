"""The type system of expressions: which types go together, and how people call them."""

from karnak.ir.expression import NULL, Kind, Type

NUMERIC = frozenset({Kind.INT, Kind.NUMBER})
_ORDERED = NUMERIC | {Kind.STR}
_WORDS = {
    Kind.BOOL: "true or false",
    Kind.STR: "a text",
    Kind.INT: "a whole number",
    Kind.NUMBER: "a number",
    Kind.ACTION: "an action",
    Kind.TAG: "a tag",
    Kind.VR: "a VR",
    Kind.LIST: "a list",
    Kind.NULL: "null",
}


def in_words(kind: Kind) -> str:
    """Say what a kind of value is, as in "a whole number is needed here"."""
    return _WORDS[kind]


def join(one: Type, other: Type) -> Type | None:
    """Find the type of a value that comes from one of two places.

    Returns:
        The narrowest type that holds both, or None where there is none.
    """
    nullable = one.nullable or other.nullable
    if one.kind is Kind.NULL:
        return other if other.kind is Kind.NULL else Type(other.kind, True)
    if other.kind is Kind.NULL or one.kind is other.kind:
        return Type(one.kind, nullable)
    if one.kind in NUMERIC and other.kind in NUMERIC:
        return Type(Kind.NUMBER, nullable)
    return None


def fits(given: Type, wanted: Type) -> bool:
    """Tell whether a value's kind can stand where another is wanted; whether null can is another question."""
    if given.kind is wanted.kind or (given.kind is Kind.INT and wanted.kind is Kind.NUMBER):
        return True
    return given == NULL and wanted.nullable


def can_be_equal(one: Type, other: Type) -> bool:
    """Tell whether two values can be compared by == and !=."""
    if Kind.ACTION in (one.kind, other.kind) or Kind.LIST in (one.kind, other.kind):
        return Kind.NULL in (one.kind, other.kind)
    return Kind.NULL in (one.kind, other.kind) or join(one, other) is not None


def can_be_ordered(one: Type, other: Type) -> bool:
    """Tell whether two values can be compared by < and >: two numbers, or two texts."""
    return one.kind in _ORDERED and other.kind in _ORDERED and join(one, other) is not None
