"""Templates: text with {{ expressions }}, for the URLs and bodies of services."""

from typing import Any

from lark import Token, Transformer, v_args

from karnak.dsl.check import Place, check_expression
from karnak.dsl.findings import Findings
from karnak.dsl.grammars import Unparsable, parse
from karnak.dsl.nodes import Part, PlacedText
from karnak.ir.expression import Escape, Expression, Template

MAX_LENGTH = 65536


@v_args(inline=True)
class _PieceBuilder(Transformer[Token, Any]):
    """Grammar's rules -> words, and the offsets of placeholders."""

    def words(self, token: Token) -> str:
        return str(token)

    def placeholder(self, *tokens: Token) -> tuple[int, int]:
        return tokens[0].end_pos or 0, tokens[-1].start_pos or 0

    def template(self, *pieces: str | tuple[int, int]) -> tuple[str | tuple[int, int], ...]:
        return pieces


def read_template(text: PlacedText, escape: Escape, findings: Findings) -> Template | None:
    """Read a template and check its placeholders.

    Args:
        text: what the author wrote.
        escape: how values are written where they land.
        findings: where to note what is wrong.

    Returns:
        The template, or None where a finding says why there is none.
    """
    if len(text.text) > MAX_LENGTH:
        findings.add("K304", f"a text with placeholders has at most {MAX_LENGTH} characters", text.inner)
        return None
    try:
        pieces = parse("template", _PieceBuilder, text.text)
    except Unparsable as error:
        if error.at < len(text.text):
            # Only a quote without its partner stops the grammar before the end.
            place = text.at(error.at, error.at + 1)
            findings.add("K303", "this quote is never closed", place, "write the same quote at the end of the text")
            return None
        start = text.text.rfind("{{")
        place = text.at(start, start + 2)
        findings.add("K319", "this placeholder is never closed", place, "write }} after the expression")
        return None
    parts: list[str | Expression] = []
    fine = True
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
            continue
        expression = check_expression(Part(text, *piece), findings, Place.PLACEHOLDER)
        fine = fine and expression is not None
        if expression is not None:
            parts.append(expression)
    return Template(tuple(parts), escape) if fine else None
