"""The arguments of functions and string methods: how many, of which type, and what is fixed beforehand."""

from collections.abc import Sequence
from typing import Protocol

from karnak.dsl.findings import Findings
from karnak.dsl.narrowing import Facts
from karnak.dsl.nodes import Part, PlacedText
from karnak.dsl.patterns import explain_replacement
from karnak.dsl.selectors import read_tag
from karnak.dsl.syntax import Constant, FunctionCall, Member, Name, Syntax, TagName, VrName
from karnak.ir import expression as ir
from karnak.ir.expression import TAG, VR, Kind, Type
from karnak.ir.functions import Signature
from karnak.standard import dictionary


class ExpressionChecker(Protocol):
    """What checking arguments needs from the checker of expressions."""

    text: PlacedText
    findings: Findings

    def check(self, node: Syntax, facts: Facts) -> ir.Expression | None: ...

    def argument(self, expression: ir.Expression, wanted: Type) -> ir.Expression | None: ...

    def pattern(self, expression: ir.Expression) -> bool: ...

    def position(self, expression: ir.Expression) -> bool: ...


def in_few_words(expression: ir.Expression) -> str:
    """Name a part of an expression in a sentence."""
    match expression:
        case ir.Current():
            return str(expression.name)
        case ir.Call():
            tag = expression.arguments[0] if expression.arguments else None
            inner = _keyword(tag.value) if isinstance(tag, ir.Literal) and isinstance(tag.value, int) else "..."
            return f"{expression.function}({inner})"
        case ir.Literal(value=None):
            return "null"
        case _:
            return "this value"


def _keyword(tag: int) -> str:
    attribute = dictionary.by_tag(tag)
    return f"#Tag.{attribute.keyword}" if attribute is not None and attribute.keyword else "..."


def _counted(name: str, signature: Signature) -> str:
    most, least = len(signature.parameters), signature.required
    count = f"{least} or more" if signature.variadic else str(least) if least == most else f"{least} to {most}"
    return f"{name}() takes {count if count != '0' else 'no'} argument{'' if count == '1' else 's'}"


def check_arguments(
    checker: ExpressionChecker,
    name: str,
    signature: Signature,
    nodes: Sequence[Syntax],
    call: FunctionCall | Member,
    facts: Facts,
) -> tuple[ir.Expression, ...] | None:
    """Check the arguments of a call.

    Args:
        checker: checks what stands inside.
        name: name of the function or method.
        signature: what it takes.
        nodes: the arguments as written.
        call: the whole call.
        facts: what is known not to be null here.

    Returns:
        The typed arguments, or None where a finding says what is wrong.
    """
    parameters = list(signature.parameters)
    if signature.variadic:
        parameters += [parameters[-1]] * (len(nodes) - len(parameters))
    fine = signature.required <= len(nodes) <= len(parameters)
    if not fine:
        given = f"{len(nodes)} {'is' if len(nodes) == 1 else 'are'} given"
        start = call.name_start if isinstance(call, Member) else call.start
        place = checker.text.at(start, call.end)
        checker.findings.add("K309", f"{_counted(name, signature)}, and {given}", place)
    checked = [
        _argument(checker, node, parameters[i] if i < len(parameters) else None, signature.pattern == i, facts)
        for i, node in enumerate(nodes)
    ]
    arguments = tuple(argument for argument in checked if argument is not None)
    if not fine or len(arguments) < len(nodes):
        return None
    return arguments if _whole_call(checker, name, arguments) else None


def _argument(
    checker: ExpressionChecker, node: Syntax, wanted: Type | None, is_pattern: bool, facts: Facts
) -> ir.Expression | None:
    if wanted == TAG:
        return _tag(checker, node, facts)
    if wanted == VR and isinstance(node, Constant) and isinstance(node.value, str):
        vr = VrName(node.start + 1, node.end - 1, 1, node.value)
        span = checker.text.at(node.start + 1, node.end - 1)
        return ir.Literal(node.value, VR, span) if node.value in dictionary.VRS else checker.check(vr, facts)
    expression = checker.check(node, facts)
    if expression is None or wanted is None:
        return None
    if is_pattern:
        return expression if checker.pattern(expression) else None
    if wanted == VR and not isinstance(expression, ir.Literal):
        checker.findings.add("K310", "a fixed VR is needed here", expression.span, "write #VR.XX")
        return None
    return checker.argument(expression, wanted)


def _tag(checker: ExpressionChecker, node: Syntax, facts: Facts) -> ir.Expression | None:
    """A tag is fixed: #Tag.Keyword, or a text in any form that selectors have."""
    span = checker.text.at(node.start, node.end)
    if isinstance(node, TagName):
        return checker.check(node, facts)
    if isinstance(node, Constant) and isinstance(node.value, str):
        tag = read_tag(Part(checker.text, node.start + 1, node.end - 1), checker.findings)
        return None if tag is None else ir.Literal(tag, TAG, span)
    hint = "write #Tag.Keyword or '(gggg,eeee)'"
    if isinstance(node, Name) and node.name == "tag":
        hint = "stringValue is the value of the current element"
    checker.findings.add("K318", "a fixed tag is needed here", span, hint)
    return None


def _whole_call(checker: ExpressionChecker, name: str, arguments: tuple[ir.Expression, ...]) -> bool:
    """Check what single arguments can't show."""
    if name == "replaceAll":
        pattern, replacement = arguments
        if isinstance(pattern, ir.Literal) and isinstance(replacement, ir.Literal):
            wrong = explain_replacement(str(pattern.value), str(replacement.value))
            if wrong is not None:
                checker.findings.add("K316", wrong, replacement.span)
                return False
    if name in ("substring", "charAt"):
        # All of them, so that two mistakes are two findings.
        return [checker.position(argument) for argument in arguments] == [True] * len(arguments)
    if name == "Add":
        _other_vr(checker, arguments)
    return True


def _other_vr(checker: ExpressionChecker, arguments: tuple[ir.Expression, ...]) -> None:
    tag, vr = arguments[0], arguments[1]
    if not isinstance(tag, ir.Literal) or not isinstance(tag.value, int) or not isinstance(vr, ir.Literal):
        return
    attribute = dictionary.by_tag(tag.value)
    if attribute is not None and vr.value not in attribute.vr and vr.type.kind is Kind.VR:
        usual = " or ".join(attribute.vr)
        checker.findings.add("K414", f"the dictionary gives {attribute.keyword} the VR {usual}", vr.span)
