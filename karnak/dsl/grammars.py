"""The parsers of the little languages, made from the files in `grammar/` when they are first used."""

from functools import cache
from typing import Any

from lark import Lark, Token, Transformer

from karnak import resources


@cache
def _parser(name: str, builder: type[Transformer[Token, Any]]) -> Lark:
    return Lark(resources.grammar(name), start=name, parser="lalr", lexer="contextual", transformer=builder())


def parse(name: str, builder: type[Transformer[Token, Any]], text: str) -> Any:
    """Parse a text of one language in time linear in its length, without recursion.

    Args:
        name: the grammar's name, and that of its first rule.
        builder: makes what is returned, from the leaves up; it must have no state.
        text: the text.

    Returns:
        What the builder makes of the first rule.

    Raises:
        lark.exceptions.UnexpectedInput: the text is not of the language.
    """
    return _parser(name, builder).parse(text)
