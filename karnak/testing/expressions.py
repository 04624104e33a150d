"""Strategies for typed expression trees, as the checker of the front end makes them.

A tree never fails for its types and never calls a method on a value that may be absent.
A few fail on some instances all the same, as those of people do: a number that is none, a
character past the end.
"""

from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from karnak.ir.expression import (
    ACTION,
    BOOL,
    INT,
    NULL,
    NUMBER,
    STR,
    TAG,
    VR,
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    Current,
    CurrentName,
    Elvis,
    Expression,
    Index,
    Kind,
    Literal,
    MethodCall,
    Type,
    Unary,
    UnaryOperator,
)
from karnak.ir.functions import FUNCTIONS, STRING_METHODS
from karnak.testing.instances import LEAVES, PRIVATE_GROUPS, SEQUENCES
from karnak.testing.specimen import leaf, tag_of
from karnak.testing.values import as_one

_MAYBE_STR = Type(Kind.STR, nullable=True)
_TEXTS = ("", "CT", "DOE", "A", "1.5", "YES", "JANE", "2023", "^")
_PATTERNS = ("[A-Z]+", "(D)(O)E.*", "", ".*\\d.*", "CT|MR", "\\^")
_REPLACEMENTS = ("", "x", "$1", "<$0>")
# Values of attributes and private elements that expressions may add: a tag, its VR, a legal text of it.
_ADDITIONS = (
    (0x00104000, "LT", "added"),
    (0x00120085, "LO", ""),
    (0x00280010, "US", "7"),
    (0x00080022, "DA", "20200101"),
)
_COMPARISONS = (BinaryOperator.LESS, BinaryOperator.LESS_OR_EQUAL, BinaryOperator.GREATER,
                BinaryOperator.GREATER_OR_EQUAL)  # fmt: skip


def text(value: str) -> Literal:
    """A text."""
    return Literal(value, STR)


def number(value: int) -> Literal:
    """A whole number."""
    return Literal(value, INT)


def tag(name: str | int) -> Literal:
    """A tag, by its keyword or its number."""
    return Literal(name if isinstance(name, int) else tag_of(name), TAG)


def call(function: str, *arguments: Expression) -> Call:
    """A call of a function of the language."""
    return Call(function, arguments, FUNCTIONS[function].result)


def method(receiver: Expression, name: str, *arguments: Expression) -> MethodCall:
    """A call of a string method, with `?.` where the receiver may be absent."""
    result = STRING_METHODS[name].result
    nullable = receiver.type.nullable
    return MethodCall(receiver, name, arguments, nullable, Type(result.kind, result.nullable or nullable))


@cache
def tags() -> SearchStrategy[Literal]:
    """Tags that instances have, often."""
    privates = [group << 16 | 0x1001 for group in PRIVATE_GROUPS]
    known = [tag_of(name) for name in (*LEAVES, *SEQUENCES)]
    likely = [tag_of(name) for name in ("PatientID", "Modality", "PatientName", "SOPClassUID", "PatientAge")]
    return st.one_of(st.sampled_from(likely), st.sampled_from(known), st.sampled_from(privates)).map(tag)


@cache
def _nullable_texts(depth: int, in_element: bool) -> SearchStrategy[Expression]:
    leaves: SearchStrategy[Expression] = tags().map(lambda name: call("getString", name))
    if in_element:
        leaves = st.one_of(leaves, st.just(Current(CurrentName.STRING_VALUE, _MAYBE_STR)))
    if depth <= 0:
        return leaves
    deeper = _nullable_texts(depth - 1, in_element)
    return st.one_of(leaves, leaves, _methods_giving_text(deeper))


def _methods_giving_text(receivers: SearchStrategy[Expression]) -> SearchStrategy[Expression]:
    """Calls of the methods that give a text; those with positions fail past the end."""
    words = st.sampled_from(_TEXTS).map(text)
    patterns = st.sampled_from(_PATTERNS).map(text)
    small = st.integers(0, 3).map(number)
    return st.one_of(
        st.builds(method, receivers, st.sampled_from(["toUpperCase", "toLowerCase", "trim"])),
        st.builds(lambda r, w: method(r, "concat", w), receivers, words),
        st.builds(lambda r, a, b: method(r, "replace", a, b), receivers, words.filter(lambda w: w.value != ""), words),
        st.builds(
            lambda r, p: method(r, "replaceAll", *p),
            receivers,
            st.tuples(st.just(text("(D)(O)E.*")), st.sampled_from(_REPLACEMENTS).map(text)),
        ),
        st.builds(lambda r, i: method(r, "substring", i), receivers, small),
        st.builds(lambda r, i: method(r, "charAt", i), receivers, small),
        st.builds(lambda r, p: method(r, "concat", p), receivers, patterns),
    )


@cache
def texts(depth: int = 2, *, in_element: bool = False) -> SearchStrategy[Expression]:
    """Expressions of type Str that are never null."""
    leaves: SearchStrategy[Expression] = st.sampled_from(_TEXTS).map(text)
    if depth <= 0:
        return leaves
    mine, maybe = texts(depth - 1, in_element=in_element), _nullable_texts(depth - 1, in_element)
    joined = st.builds(
        lambda left, right: Binary(BinaryOperator.ADD, left, right, STR),
        mine,
        st.one_of(mine, maybe, whole_numbers(depth - 1)),
    )
    default = st.builds(lambda value, other: Elvis(value, other, STR), maybe, mine)
    chosen = st.builds(lambda test, a, b: Conditional(test, a, b, STR), conditions(depth - 1), mine, mine)
    parts = st.builds(lambda t: method(t, "split", text("\\^")), mine)
    first = parts.map(lambda found: Index(found, number(0), STR))
    return st.one_of(as_one(leaves), joined, default, chosen, _methods_giving_text(mine), first)


@cache
def whole_numbers(depth: int = 2) -> SearchStrategy[Expression]:
    """Expressions of type Int that are never null; some divide by zero."""
    leaves: SearchStrategy[Expression] = st.integers(-400, 400).map(number)
    if depth <= 0:
        return leaves
    mine = whole_numbers(depth - 1)
    operators = (BinaryOperator.ADD, BinaryOperator.SUBTRACT, BinaryOperator.MULTIPLY, BinaryOperator.DIVIDE,
                 BinaryOperator.REMAINDER)  # fmt: skip
    return st.one_of(
        leaves,
        tags().map(lambda name: call("count", name)),
        st.builds(lambda name, other: Elvis(call("getInt", name), other, INT), tags(), mine),
        texts(depth - 1).map(lambda t: method(t, "length")),
        st.builds(lambda op, a, b: Binary(op, a, b, INT), st.sampled_from(operators), mine, mine),
        mine.map(lambda a: Unary(UnaryOperator.NEGATE, a, INT)),
    )


@cache
def conditions(depth: int = 2, *, in_element: bool = False) -> SearchStrategy[Expression]:
    """Expressions of type Bool that are never null: what a guard may be.

    Args:
        depth: how many levels of operators and calls there may be.
        in_element: they may speak of the current element.
    """
    words = st.sampled_from(_TEXTS).map(text)
    asked = st.sampled_from(["tagValueIsPresent", "tagValueContains", "tagValueBeginsWith", "tagValueEndsWith"])
    presence = st.sampled_from(["tagIsPresent", "tagHasValue", "tagIsPresentAnywhere"])
    leaves: SearchStrategy[Expression] = st.one_of(
        st.builds(call, asked, tags(), words),
        st.builds(call, presence, tags()),
        st.builds(lambda name, a, b: call("tagValueIn", name, a, b), tags(), words, words),
        st.builds(lambda name, p: call("tagValueMatches", name, text(p)), tags(), st.sampled_from(_PATTERNS)),
        st.booleans().map(lambda value: Literal(value, BOOL)),
    )
    if in_element:
        leaves = st.one_of(leaves, _about_the_element())
    if depth <= 0:
        return leaves
    mine = conditions(depth - 1, in_element=in_element)
    maybe = _nullable_texts(depth - 1, in_element)
    equality = st.sampled_from([BinaryOperator.EQUAL, BinaryOperator.NOT_EQUAL])
    return st.one_of(
        as_one(leaves),
        as_one(leaves),
        st.builds(lambda op, a, b: Binary(op, a, b, BOOL), st.sampled_from([BinaryOperator.AND, BinaryOperator.OR]),
                  mine, mine),
        mine.map(lambda a: Unary(UnaryOperator.NOT, a, BOOL)),
        st.builds(lambda op, a, b: Binary(op, a, b, BOOL), equality, maybe,
                  st.one_of(texts(depth - 1, in_element=in_element), maybe, st.just(Literal(None, NULL)))),
        st.builds(lambda op, a, b: Binary(op, a, b, BOOL), st.sampled_from(_COMPARISONS), maybe, words),
        st.builds(lambda op, a, b: Binary(op, a, b, BOOL), st.sampled_from(_COMPARISONS), whole_numbers(depth - 1),
                  whole_numbers(depth - 1)),
        st.builds(lambda op, name, b: Binary(op, call("getNumber", name), b, BOOL), st.sampled_from(_COMPARISONS),
                  st.sampled_from(["SliceThickness", "Rows", "SeriesNumber"]).map(tag),
                  st.integers(0, 9).map(lambda n: Literal(n / 2, NUMBER))),
        st.builds(lambda a, p: Binary(BinaryOperator.MATCHES, a, text(p), BOOL), maybe, st.sampled_from(_PATTERNS)),
        st.builds(lambda a, b: method(a, "equalsIgnoreCase", b), texts(depth - 1), maybe),
        st.builds(lambda a, b: Elvis(method(a, "contains", b), Literal(False, BOOL), BOOL), maybe, words),
        st.builds(lambda t, a, b: Conditional(t, a, b, BOOL), mine, mine, mine),
    )  # fmt: skip


@cache
def _about_the_element() -> SearchStrategy[Expression]:
    kinds = st.sampled_from(["DA", "PN", "LO", "UI", "SQ", "US", "UN"]).map(lambda vr: Literal(vr, VR))
    return st.one_of(
        kinds.map(lambda vr: Binary(BinaryOperator.EQUAL, Current(CurrentName.VR, VR), vr, BOOL)),
        tags().map(lambda name: Binary(BinaryOperator.EQUAL, Current(CurrentName.TAG, TAG), name, BOOL)),
    )


@cache
def decisions(depth: int = 2) -> SearchStrategy[Expression]:
    """Expressions of type Action, or null: what `expression.on.tags` may ask."""
    simple = st.sampled_from(["Keep", "Remove", "ReplaceNull", "UID"]).map(call)
    rare = st.sampled_from(["ComputePatientAge", "ExcludeInstance"]).map(call)
    null = Literal(None, NULL)
    leaves: SearchStrategy[Expression] = st.one_of(
        simple,
        simple,
        st.builds(lambda new: call("Replace", new), st.one_of(texts(1, in_element=True), st.just(null))),
        st.builds(lambda a, b: call("ShiftDate", a, b), whole_numbers(0), whole_numbers(0)),
        st.sampled_from(_ADDITIONS).map(
            lambda parts: call("Add", tag(parts[0]), Literal(parts[1], VR), text(parts[2]))
        ),
        st.just(null),
        rare,
    )
    if depth <= 0:
        return leaves
    mine = decisions(depth - 1)
    maybe_action = Type(ACTION.kind, nullable=True)
    tests = conditions(depth - 1, in_element=True)
    chosen = st.builds(lambda test, a, b: Conditional(test, a, b, maybe_action), tests, mine, mine)
    return st.one_of(as_one(leaves), chosen)


def legal_values() -> SearchStrategy[tuple[int, str, str]]:
    """A tag, its VR and a text that is legal for it: what rules may add."""
    more = [(leaf(name).tag, leaf(name).vr, "1") for name in ("ImageComments", "SeriesNumber", "PatientComments")]
    return st.sampled_from([*_ADDITIONS, *more])
