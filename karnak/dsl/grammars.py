"""The parsers of the little languages, made from the files in `grammar/` when they are first used."""

from functools import cache
from typing import Any, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from karnak import resources


class Unparsable(Exception):
    """A text is not of its language.

    Attributes:
        at: offset of the character or word that the grammar can't take; the length of the
            text where something is missing at its end.
        is_word: the grammar knows the word there, but not at this place.
    """

    def __init__(self, at: int, is_word: bool) -> None:
        super().__init__(at, is_word)
        self.at = at
        self.is_word = is_word


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
        Unparsable: the text is not of the language.
    """
    try:
        return _parser(name, builder).parse(text)
    except UnexpectedToken as error:
        at = len(text) if error.token.type == "$END" else error.token.start_pos or 0
        raise Unparsable(at, is_word=True) from None
    except UnexpectedCharacters as error:
        raise Unparsable(cast("int", error.pos_in_stream), is_word=False) from None
