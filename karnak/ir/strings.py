"""The string methods of expressions. Positions count characters from 0; regular expressions are RE2's.

Time is linear in the text. What a value does not have (a character past its end) raises.
Source: the language page, section 4.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from karnak.errors import KarnakError

if TYPE_CHECKING:
    from re import Match, Pattern

# All that String.trim() takes away in the Java engine: control characters and the space.
_BLANK = "".join(map(chr, range(0x21)))
_REFERENCE = re.compile(r"\\(.)|\$(\d)|\$\{(\w+)\}", re.DOTALL)


class EvaluationError(KarnakError):
    """An expression that cannot be evaluated on this instance.

    The message holds no value, and no number either: a position may have been read from a patient's element.
    """


def as_text(value: object) -> str:
    """Write a value as `+` joins it to text; null adds nothing.

    Raises:
        EvaluationError: it is a number of thousands of digits.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    try:
        return str(value)
    except ValueError:
        raise EvaluationError("a number is too large to be written") from None


def matches(text: str, pattern: str) -> bool:
    """Tell whether the whole text matches an RE2 expression."""
    return _compile(pattern).fullmatch(text) is not None


def item(value: Any, index: int) -> str:
    """A character of a text or an item of a list.

    Raises:
        EvaluationError: there is none at this position.
    """
    if value is None or not 0 <= index < len(value):
        raise EvaluationError("there is nothing at this position of a text or list")
    return str(value[index])


@lru_cache(maxsize=256)
def _compile(pattern: str) -> "Pattern[str]":
    # A tenth of a second saved wherever no profile asks for a pattern.
    import re2

    try:
        compiled: Pattern[str] = re2.compile(pattern)
    except re2.error:
        raise EvaluationError("a regular expression is not one of RE2") from None
    return compiled


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise EvaluationError("substring() reaches outside of the text")
    return text[start:stop]


def _replace_all(text: str, pattern: str, replacement: str) -> str:
    def expand(found: "Match[str]") -> str:
        def reference(part: "Match[str]") -> str:
            escaped, number, name = part.groups()
            if escaped is not None:
                return str(escaped)
            try:
                return found.group(int(number) if number is not None else name) or ""
            except (IndexError, KeyError):
                raise EvaluationError("replaceAll() refers to a group that its pattern does not have") from None

        return _REFERENCE.sub(reference, replacement)

    return str(_compile(pattern).sub(expand, text))


def _split(text: str, pattern: str) -> list[str]:
    parts = [part or "" for part in _compile(pattern).split(text)]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


METHODS: dict[str, Callable[..., Any]] = {
    "contains": lambda text, other: other in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "equals": lambda text, other: text == other,
    "equalsIgnoreCase": lambda text, other: other is not None and text.casefold() == other.casefold(),
    "toUpperCase": str.upper,
    "toLowerCase": str.lower,
    "trim": lambda text: text.strip(_BLANK),
    "length": len,
    "isEmpty": lambda text: not text,
    "substring": _substring,
    "indexOf": str.find,
    "replace": str.replace,
    "replaceAll": _replace_all,
    "split": _split,
    "concat": lambda text, other: text + other,
    "matches": matches,
    "charAt": item,
}
