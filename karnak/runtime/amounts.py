"""How far a rule moves the dates of an instance."""

from karnak.ir.profile import Shift, ShiftByTag, ShiftRange
from karnak.ir.selector import format_tag
from karnak.runtime import values
from karnak.runtime.dates import Amount
from karnak.runtime.evaluate import Root
from karnak.runtime.numerals import whole_number
from karnak.runtime.rejection import Rejected
from karnak.runtime.values import Surroundings

# What Retain Modified Dates does, and what a dummy date is made by.
MODIFIED_DATES = ShiftRange(0, 365, 0, 86400)


def amount_of(effect: Shift | ShiftRange | ShiftByTag, root: Root, around: Surroundings) -> Amount:
    """The amount that a date rule moves the dates of an instance by.

    Args:
        effect: what the rule says.
        root: the original root dataset, which `shift_by_tag` reads.
        around: PatientID and project, which `shift_range` draws from.

    Raises:
        Rejected: the instance has no whole number where `shift_by_tag` looks: the real dates would stay.
    """
    match effect:
        case Shift(days, seconds):
            return Amount(days, seconds)
        case ShiftRange(min_days, max_days, min_seconds, max_seconds):
            return values.amount_in_range(around, min_days, max_days, min_seconds, max_seconds)
        case ShiftByTag(days_tag, seconds_tag):
            return Amount(_integer(root, days_tag), _integer(root, seconds_tag))


def _integer(root: Root, tag: int | None) -> int:
    if tag is None:
        return 0
    amount = whole_number(root.text(tag) or "")
    if amount is None:
        raise Rejected(f"shift_by_tag finds no whole number in {format_tag(tag)}")
    return amount
