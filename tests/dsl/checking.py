"""Short ways to check one expression, for tests."""

from karnak.dsl.check import Place, check_expression
from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.findings import Findings
from karnak.dsl.narrowing import NO_FACTS, Facts
from karnak.dsl.nodes import Line, Source
from karnak.ir.expression import Expression


def check(
    text: str, place: Place = Place.ELEMENT, facts: Facts = NO_FACTS
) -> tuple[Expression | None, tuple[Diagnostic, ...]]:
    """Check an expression that stands alone in a source."""
    source, findings = Source("e", text), Findings()
    return check_expression(Line(text, source.span(0, len(text))), findings, place, facts), findings.all


def codes(text: str, place: Place = Place.ELEMENT, facts: Facts = NO_FACTS) -> list[str]:
    """Give the codes of what is found."""
    return [found.code for found in check(text, place, facts)[1]]


def accepted(text: str, place: Place = Place.ELEMENT, facts: Facts = NO_FACTS) -> Expression:
    """Check an expression in which nothing may be found."""
    expression, found = check(text, place, facts)
    assert not found, [str(one) for one in found]
    assert expression is not None
    return expression
