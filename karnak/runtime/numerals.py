"""Numbers that instances hold as text: read as PS3.5 section 6.2 writes IS and DS, and in no other way."""

import re

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


def whole_number(text: str) -> int | None:
    """Read a whole number, or None for what is none; 19 digits and more are none.

    Args:
        text: without padding.
    """
    return int(text) if _WHOLE.fullmatch(text) else None


def decimal_number(text: str) -> float | None:
    """Read a decimal number, or None for what is none.

    Args:
        text: without padding.
    """
    return float(text) if _DECIMAL.fullmatch(text) else None
