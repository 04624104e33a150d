"""What was really done to an instance, so that its attributes claim no more than that."""

from dataclasses import dataclass

from karnak.ir.selector import ElementKey, is_private
from karnak.runtime.decision import Decision, Verb
from karnak.standard.confidentiality import Option
from karnak.standard.safe_private import is_safe

DATE_AND_TIME_VRS = frozenset({"DA", "DT", "TM"})


@dataclass(slots=True)
class Deeds:
    """What was really done to an instance, for the attributes that say so.

    Attributes:
        basic: the basic profile applied.
        options: its options that applied.
        dates_moved: a rule shifted or truncated a date or time.
        dates_lost: a date or time was removed, emptied or replaced by a dummy.
        private_kept: a rule kept a private element.
        private_unsafe: a private element stays, kept by a rule or by none, that is not known to be safe
            (PS3.15 table E.3.10-1).
    """

    basic: bool = False
    options: frozenset[Option] = frozenset()
    dates_moved: bool = False
    dates_lost: bool = False
    private_kept: bool = False
    private_unsafe: bool = False

    def note(self, key: ElementKey, vr: str, decision: Decision | None) -> None:
        """Take note of a decision that was carried out on one element; None where no rule decided and it stays."""
        if decision is not None and vr in DATE_AND_TIME_VRS:
            self.dates_moved |= decision.verb in (Verb.SHIFT, Verb.TRUNCATE)
            self.dates_lost |= decision.verb in (Verb.REMOVE, Verb.EMPTY, Verb.DUMMY, Verb.REPLACE)
        if is_private(key.tag) and (decision is None or decision.verb is Verb.KEEP):
            self.private_kept |= decision is not None
            self.private_unsafe |= key.creator is None or not is_safe(key.creator, key.tag)
