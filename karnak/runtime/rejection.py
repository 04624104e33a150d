"""How the rules of a profile end an instance: excluded because a rule asks for it, or rejected."""

from karnak.errors import KarnakError
from karnak.ir.profile import Rule


class Excluded(KarnakError):
    """The profile asks not to send this instance."""


class Rejected(KarnakError):
    """The instance cannot be processed without error; the message holds no value."""


def named(rule: Rule) -> str:
    """A rule as reasons and warnings name it: by its name and line."""
    return f"rule {rule.name!r} (line {rule.span.line})"
