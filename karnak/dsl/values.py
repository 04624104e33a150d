"""Values that a profile writes into instances: are they legal for their value representation?

Character sets and the rules of single attributes are not looked at; they depend on the
instance. Source: PS3.5 section 6.2, Tables 6.2-1 and 6.1-1.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date

_MAX_TEXT = 2**32 - 2
_DS = re.compile(r" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *")
_IS = re.compile(r" *[+-]?[0-9]{1,11} *")
_TM = re.compile(r"([01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)? *")
_DT = re.compile(
    r"([0-9]{4})(?:(0[1-9]|1[0-2])(?:(0[1-9]|[12][0-9]|3[01])(?:(?:[01][0-9]|2[0-3])(?:[0-5][0-9]"
    r"(?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?)?)?)?(?:[+-](?:0[0-9]|1[0-4])[0-5][0-9])? *"
)
_AS = re.compile(r"[0-9]{3}[DWMY]")
_CS = re.compile(r"[A-Z0-9_ ]{0,16}")
_UI = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")
_UR = re.compile(r"[^\x00-\x20\x7f\\]+")
_AT = re.compile(r"[0-9A-Fa-f]{8}")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_CONTROL = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f]")
_CONTROL_IN_PARAGRAPHS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")

# VRs whose values are one text, in which a backslash separates nothing.
_SINGLE_TEXTS: Mapping[str, int] = {"LT": 10240, "ST": 1024, "UT": _MAX_TEXT}
_SHORT_TEXTS: Mapping[str, int] = {"AE": 16, "LO": 64, "SH": 16, "UC": _MAX_TEXT}
_RANGES: Mapping[str, tuple[int, int]] = {
    "US": (0, 2**16 - 1),
    "SS": (-(2**15), 2**15 - 1),
    "UL": (0, 2**32 - 1),
    "SL": (-(2**31), 2**31 - 1),
    "UV": (0, 2**64 - 1),
    "SV": (-(2**63), 2**63 - 1),
}
_LARGEST_FLOAT = 3.4028234663852886e38


def _date(text: str) -> str | None:
    if not re.fullmatch(r"[0-9]{8}", text):
        return "a date is YYYYMMDD"
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return "there is no such day"
    return None


def _datetime(text: str) -> str | None:
    match = _DT.fullmatch(text)
    if match is None or len(text) > 26:
        return "a date and time is YYYYMMDDHHMMSS.FFFFFF&ZZXX, from the left as far as it is known"
    return _date("".join(match.groups())) if match[3] else None


def _person(text: str) -> str | None:
    groups = text.split("=")
    if len(groups) > 3:
        return "a name has at most three groups with = between them"
    if any(len(group) > 64 for group in groups):
        return "a group of a name has at most 64 characters"
    if any(group.count("^") > 4 for group in groups):
        return "a name has at most five components with ^ between them"
    return "control characters are not allowed" if _CONTROL.search(text) else None


def _pattern(pattern: re.Pattern[str], words: str, longest: int | None = None) -> Callable[[str], str | None]:
    def explain(text: str) -> str | None:
        if longest is not None and len(text) > longest:
            return f"at most {longest} characters"
        return None if pattern.fullmatch(text) else words

    return explain


def _decimal(text: str) -> str | None:
    return _pattern(_DS, "a number such as -1.5 or 2e3", 16)(text)


def _integer_string(text: str) -> str | None:
    wrong = _pattern(_IS, "a whole number such as -15", 12)(text)
    low, high = _RANGES["SL"]
    return wrong or (None if low <= int(text) <= high else f"a whole number from {low} to {high}")


def _float(text: str, largest: float) -> str | None:
    if not _FLOAT.fullmatch(text):
        return "a number such as -1.5 or 2e3"
    return None if abs(float(text)) <= largest else "the number is too large"


_FORMS: Mapping[str, Callable[[str], str | None]] = {
    "AS": _pattern(_AS, "an age is three digits and D, W, M or Y"),
    "AT": _pattern(_AT, "a tag is eight hexadecimal digits"),
    "CS": _pattern(_CS, "a code has at most 16 of A to Z, 0 to 9, blank and _"),
    "DA": _date,
    "DS": _decimal,
    "DT": _datetime,
    "FD": lambda text: _float(text, 1.7976931348623157e308),
    "FL": lambda text: _float(text, _LARGEST_FLOAT),
    "IS": _integer_string,
    "PN": _person,
    "TM": _pattern(_TM, "a time is HHMMSS.FFFFFF, from the left as far as it is known"),
    "UI": _pattern(_UI, "a UID is numbers with points between them, no leading zeros", 64),
}


def _paragraphs(text: str, longest: int) -> str | None:
    if len(text) > longest:
        return f"at most {longest} characters"
    return "control characters are not allowed" if _CONTROL_IN_PARAGRAPHS.search(text) else None


def _binary_number(vr: str, text: str) -> str | None:
    low, high = _RANGES[vr]
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        return f"a whole number from {low} to {high}"
    return None


def _explain_one(vr: str, text: str) -> str | None:
    if vr in _SHORT_TEXTS:
        longest = _SHORT_TEXTS[vr]
        if len(text) > longest:
            return f"at most {longest} characters"
        if vr == "AE" and text and not text.strip(" "):
            return "it can't be blanks only"
        return "control characters are not allowed" if _CONTROL.search(text) else None
    if not text:
        return None
    return _binary_number(vr, text) if vr in _RANGES else _FORMS[vr](text)


def explain_value(vr: str, text: str) -> str | None:
    """Say what is wrong with a value as the text of a profile.

    Args:
        vr: value representation.
        text: the value; a backslash separates values where the VR can have several.

    Returns:
        What would be right, as a part of a sentence, or None for a legal value. The empty
        text is legal: the element is added empty.
    """
    if vr in _SINGLE_TEXTS:
        return _paragraphs(text, _SINGLE_TEXTS[vr])
    if vr == "UR":
        return (
            None
            if not text.rstrip(" ") or _UR.fullmatch(text.rstrip(" "))
            else "a URI holds no blanks and no backslash"
        )
    if vr not in _SHORT_TEXTS and vr not in _RANGES and vr not in _FORMS:
        return "values of this VR can't be written as text"
    return next((wrong for part in text.split("\\") if (wrong := _explain_one(vr, part))), None)


def explain_multiplicity(vr: str, text: str, vm: str) -> str | None:
    """Say what is wrong with the number of values.

    Args:
        vr: value representation.
        text: the values with backslashes between them.
        vm: value multiplicity as PS3.6 writes it: "1", "1-3", "1-n", "2-2n".

    Returns:
        A part of a sentence, or None for a number that is allowed.
    """
    if not text or vr in _SINGLE_TEXTS or vr == "UR":
        return None
    count = text.count("\\") + 1
    match = re.match(r"(\d+)(?:-(\d*)(n?))?", vm)
    if match is None:
        return None
    least, most, endless = int(match[1]), match[2], match[3]
    step = int(most) if most and endless else 1
    largest = None if endless else int(most) if most else least
    if count < least or (largest is not None and count > largest) or count % step:
        return f"the attribute has {vm} values, and these are {count}"
    return None
