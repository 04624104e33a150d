"""Regular expressions in profiles: checked when the profile is, with the engine that will run them."""

import re

_LOOKAROUND = re.compile(r"\(\?(?:[=!]|<[=!])")
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")
_GROUP_REFERENCE = re.compile(r"\\.|\$(\d)", re.DOTALL)
_COMPLAINTS = {
    "missing )": "a ) is missing",
    "unexpected )": "there is a ) too many",
    "missing ]": "a ] is missing",
    "no argument for repetition operator": "there is nothing that * + or ? could repeat",
    "bad repetition operator": "two of * + ? stand side by side",
    "invalid repetition size": "a repetition is at most 1000",
    "trailing \\": "a backslash stands at the end",
    "pattern too large": "it is too large",
    "invalid escape sequence": "a backslash stands before a letter that has no meaning",
    "invalid character class range": "a range in [ ] is the wrong way round or has no such name",
    "invalid character range": "a range in [ ] is the wrong way round or has no such name",
}


def explain_pattern(pattern: str) -> str | None:
    """Say what is wrong with a regular expression.

    Args:
        pattern: a regular expression in RE2's syntax.

    Returns:
        A sentence, or None for one that can be used.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except UnicodeEncodeError:
        return "it holds half a character"
    except re2.error as error:
        if _LOOKAROUND.search(pattern):
            return "looking ahead or behind takes more than linear time; RE2 has no (?= (?! (?<"
        if _BACK_REFERENCE.search(pattern):
            return "a reference back takes more than linear time; RE2 has no \\1"
        words = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        return next((ours for theirs, ours in _COMPLAINTS.items() if words.startswith(theirs)), "RE2 can't read it")
    return None


def explain_replacement(pattern: str, replacement: str) -> str | None:
    """Say what is wrong with the text that replaceAll puts in, where $1 stands for the first group.

    Args:
        pattern: a regular expression that can be used.
        replacement: the text.

    Returns:
        A sentence, or None for one that can be used.
    """
    import re2

    groups = re2.compile(pattern).groups
    for match in _GROUP_REFERENCE.finditer(replacement):
        if match[1] and int(match[1]) > groups:
            has = {0: "no group", 1: "one group"}.get(groups, f"{groups} groups")
            return f"${match[1]} is asked for, and the pattern has {has}"
    return None
