"""How the rules of a profile end an instance: excluded because a rule asks for it, or rejected."""

from karnak.errors import KarnakError
from karnak.ir.profile import Rule

NO_SOP_INSTANCE_UID = "the rules leave no SOP Instance UID (0008,0018): the instance could not be stored"
NO_SOP_CLASS_UID = "the instance has no SOP Class UID (0008,0016)"
NO_PATIENT_ID = "the instance has no PatientID (0010,0020)"
NO_PSEUDONYM = "there is no pseudonym for this patient"


class Excluded(KarnakError):
    """The profile asks not to send this instance."""


class Rejected(KarnakError):
    """The instance cannot be processed without error; the message holds no value."""


class FallBack(Exception):
    """The fast executor leaves an instance to the interpreter; the argument says why, without values."""


def named(rule: Rule) -> str:
    """A rule as reasons and warnings name it: by its name and line."""
    return f"rule {rule.name!r} (line {rule.span.line})"
