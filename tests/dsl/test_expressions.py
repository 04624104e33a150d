"""Expressions: what is read, with which precedence, and into which typed trees."""

import pytest

from karnak.dsl.check import Place
from karnak.ir import expression as ir
from karnak.ir.expression import ACTION, BOOL, INT, NUMBER, STR, TAG, VR, Kind, Type
from karnak.ir.functions import FUNCTIONS, STRING_METHODS
from tests.dsl.checking import accepted, check, codes

CONDITION, ELEMENT, PLACEHOLDER = Place.CONDITION, Place.ELEMENT, Place.PLACEHOLDER


def spelled(node: ir.Expression) -> str:
    """Write a tree with all its brackets."""
    match node:
        case ir.Literal(value=None):
            return "null"
        case ir.Literal(value=bool()):
            return str(node.value).lower()
        case ir.Literal(value=int()) if node.type == TAG:
            return f"{node.value:08X}"
        case ir.Literal():
            return repr(node.value) if node.type == STR else str(node.value)
        case ir.Current():
            return str(node.name)
        case ir.Call():
            return f"{node.function}({', '.join(map(spelled, node.arguments))})"
        case ir.MethodCall():
            dot = "?." if node.safe else "."
            return f"{spelled(node.receiver)}{dot}{node.method}({', '.join(map(spelled, node.arguments))})"
        case ir.Unary():
            return f"({node.operator}{spelled(node.operand)})"
        case ir.Binary():
            return f"({spelled(node.left)} {node.operator} {spelled(node.right)})"
        case ir.Conditional():
            return f"({spelled(node.test)} ? {spelled(node.then)} : {spelled(node.otherwise)})"
        case ir.Elvis():
            return f"({spelled(node.value)} ?: {spelled(node.default)})"
        case ir.Index():
            return f"{spelled(node.value)}[{spelled(node.index)}]"


P = "tagIsPresent(#Tag.Rows)"
p = "tagIsPresent(00280010)"
N = "count(#Tag.Rows)"
n = "count(00280010)"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        (f"{P} or {P} and {P}", f"({p} or ({p} and {p}))"),
        (f"{P} || {P} && !{P}", f"({p} or ({p} and (!{p})))"),
        (f"not {P} OR {P} And {P}", f"((!{p}) or ({p} and {p}))"),
        (f"({P} or {P}) and {P}", f"(({p} or {p}) and {p})"),
        (f"{N} + 1 * 2 - 3 == 4", f"((({n} + (1 * 2)) - 3) == 4)"),
        (f"{N} / 2 % 3 ne -1", f"((({n} / 2) % 3) != -1)"),
        (f"-{N} < 1 == {P}", f"(((-{n}) < 1) == {p})"),
        (f"{N} lt 1 or {N} ge 3 and {N} le 5", f"(({n} < 1) or (({n} >= 3) and ({n} <= 5)))"),
        (f"{P} ? {P} : {P} ? {P} : {P}", f"({p} ? {p} : ({p} ? {p} : {p}))"),
        (f"{P} ?: {P} ? {P} : {P}", f"({p} ?: ({p} ? {p} : {p}))"),
        ("getString(#Tag.Modality) matches 'C' + 'T'", "(getString(00080060) matches 'CT')"),
        ("!getString(#Tag.Modality) == 'CT'", None),
        (
            "(getString(#Tag.Modality) ?: 'a' ?: 'b') eq 'CT'",
            "((getString(00080060) ?: ('a' ?: 'b')) == 'CT')",
        ),
        ("'a,b'.split(',')[1].length() > 0", "('a,b'.split(',')[1].length() > 0)"),
        (
            "getString(#Tag.Modality)?.trim()?.isEmpty() == true",
            "(getString(00080060)?.trim()?.isEmpty() == true)",
        ),
        ("'it''s' == \"it's\" and \"\"\"\" == '\"'", "((\"it's\" == \"it's\") and ('\"' == '\"'))"),
        ("'a\\b' != 'c' and tagIsPresent('(0028,0010)')", f"(('a\\\\b' != 'c') and {p})"),
        ("tagValueIsPresent('Modality', 12)", "tagValueIsPresent(00080060, '12')"),
        ("+1.5 < 2", "(1.5 < 2)"),
    ],
)
def test_precedence_as_in_spel(text: str, tree: str | None) -> None:
    expression, _ = check(text, CONDITION)
    assert (None if expression is None else spelled(expression)) == tree


def test_long_chains_are_balanced_and_keep_their_order() -> None:
    conditions = [f"tagValueIsPresent(#Tag.Modality, 'M{i}')" for i in range(60)]
    expression = accepted(" or ".join(conditions), CONDITION)

    def leaves(node: ir.Expression) -> list[str]:
        if isinstance(node, ir.Binary):
            return leaves(node.left) + leaves(node.right)
        return [spelled(node)]

    def depth(node: ir.Expression) -> int:
        return 1 + max(depth(node.left), depth(node.right)) if isinstance(node, ir.Binary) else 0

    assert leaves(expression) == [f"tagValueIsPresent(00080060, 'M{i}')" for i in range(60)]
    assert depth(expression) == 6


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Keep()", ACTION),
        ("tagIsPresent(#Tag.Rows) ? Keep() : null", Type(Kind.ACTION, True)),
        ("tagIsPresent(#Tag.Rows) ? null : ExcludeInstance()", Type(Kind.ACTION, True)),
        ("Replace(null)", ACTION),
        ("Replace(stringValue)", ACTION),
        ("Replace(5)", ACTION),
        ("Add(#Tag.PatientComments, 'LT', 'x')", ACTION),
        ("ShiftDate(-1, getInt(#Tag.SeriesNumber) ?: 0)", ACTION),
        ("vr == #VR.DA or tag == #Tag.PatientName ? UID() : ReplaceNull()", ACTION),
    ],
)
def test_types_of_decisions(text: str, kind: Type) -> None:
    assert accepted(text).type == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("getString(#Tag.PatientID)", Type(Kind.STR, True)),
        ("getString(#Tag.PatientID) ?: 'x'", STR),
        ("'a' + 1 + 2.5", STR),
        ("(getString(#Tag.PatientID) ?: 'none').substring(0, 2)", STR),
    ],
)
def test_types_of_placeholders(text: str, kind: Type) -> None:
    assert accepted(text, PLACEHOLDER).type == kind


def test_parts_have_their_types_and_places() -> None:
    expression = accepted("count(#Tag.Rows) + 1.5 > 2 and vr == #VR.US ? Keep() : null")
    assert isinstance(expression, ir.Conditional)
    both = expression.test
    assert isinstance(both, ir.Binary)
    assert both.type == BOOL
    left, right = both.left, both.right
    assert isinstance(left, ir.Binary)
    assert isinstance(left.left, ir.Binary)
    assert left.left.type == NUMBER
    assert left.left.left.type == INT
    assert (left.left.span.column, left.left.span.end_column) == (1, 23)
    assert isinstance(right, ir.Binary)
    assert right.right == ir.Literal("US", VR, right.right.span)
    assert (right.right.span.column, right.right.span.end_column) == (38, 44)


def test_texts_that_are_written_out_are_joined_beforehand() -> None:
    expression = accepted("Replace('a' + 'b' + 'c')")
    assert isinstance(expression, ir.Call)
    assert expression.arguments[0] == ir.Literal("abc", STR, expression.arguments[0].span)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_stands_where_it_may(name: str) -> None:
    signature = FUNCTIONS[name]
    samples = {Kind.TAG: "#Tag.PatientName", Kind.VR: "#VR.PN", Kind.STR: "'x'", Kind.INT: "1"}
    call = f"{name}({', '.join(samples[parameter.kind] for parameter in signature.parameters)})"
    found = codes(call, CONDITION)
    assert ("K314" in found) is signature.elements_only
    if signature.elements_only:
        assert accepted(call).type == signature.result
    elif signature.result == BOOL:
        assert accepted(call, CONDITION).type == BOOL
        assert accepted(f"{call} ? Keep() : null").type == Type(Kind.ACTION, True)


@pytest.mark.parametrize("name", STRING_METHODS)
def test_every_method_can_be_called_on_a_text_and_safely_on_null(name: str) -> None:
    signature = STRING_METHODS[name]
    samples = {Kind.STR: "'x'", Kind.INT: "1"}
    arguments = ", ".join(samples[parameter.kind] for parameter in signature.parameters[: signature.required])
    assert codes(f"stringValue.{name}({arguments}) == null ? Keep() : null") == ["K312"]
    safe, found = check(f"stringValue?.{name}({arguments}) == null ? Keep() : null")
    assert not found
    assert isinstance(safe, ir.Conditional)
    assert isinstance(safe.test, ir.Binary)
    assert safe.test.left.type == Type(signature.result.kind, True)


@pytest.mark.parametrize(
    "text",
    [
        "T(java.lang.Runtime).getRuntime().exec('id')",
        "T(String).valueOf('a')",
        "new java.util.Scanner('x').next()",
        "''.getClass().forName('x')",
        "''.class",
        "#this",
        "#root.getString('x')",
        "@environment.getProperty('x')",
        "stringValue = 'x'",
        "{'a', 'b'}.![toUpperCase()]",
        "{a: 1}.?[true]",
        "tagIsPresent(#Tag.Rows) ? stringValue++ : 1",
        "__import__('os')",
        "Keep.__class__",
        "stringValue.__class__",
        "'%s'.format(1)",
        "eval('1')",
        "lambda: 1",
        "[x for x in 'a']",
        "f'{1}'",
    ],
)
@pytest.mark.parametrize("place", list(Place))
def test_there_is_no_way_out(text: str, place: Place) -> None:
    expression, found = check(text, place)
    assert expression is None
    assert found
