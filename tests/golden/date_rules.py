"""What date rules make of a value, worked out here again, apart from the engine under test.

Where the reference engine can't be the judge, because it reads the wrong element inside sequences or stops at the first
value, this is.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from karnak.ir.profile import DatePart, Effect, Shift, ShiftByTag, ShiftRange, TruncateDate
from karnak.runtime.keys import Project
from tests.golden.dataset_form import Elements
from tests.golden.instants import cut_to, instant, offset_in

_DAYS_PER_UNIT = {"D": 1, "W": 7, "M": 30, "Y": 365}
_EPOCH = "20000101"


@dataclass(frozen=True, slots=True)
class DateRule:
    """A date rule for one instance: an amount to move by, or the part to remove.

    Attributes:
        days: whole days to go back.
        seconds: whole seconds to go back.
        remove: what is set to 01, or None where the rule moves.
    """

    days: int = 0
    seconds: int = 0
    remove: DatePart | None = None

    def applied(self, vr: str, text: str) -> str | None:
        """What the rule makes of one value, as the language page writes it; None where it has nothing to say."""
        if vr == "AS":
            return self._aged(text)
        if instant(vr, text) is None:
            return None
        if vr == "TM":
            return f"{_read(_EPOCH + text.replace(':', '')) - timedelta(seconds=self.seconds):%H%M%S.%f}"
        moment = _read(text.replace(".", "") if vr == "DA" else text)
        if self.remove is not None:
            moment = moment.replace(day=1, month=moment.month if self.remove is DatePart.DAY else 1)
        elif vr == "DA":
            moment -= timedelta(days=self.days)
        else:
            moment -= timedelta(days=self.days, seconds=self.seconds)
        whole = f"{moment:%Y%m%d%H%M%S.%f}"
        return whole[:8] if vr == "DA" else cut_to(whole, text) + offset_in(text)

    def _aged(self, text: str) -> str | None:
        match = re.fullmatch(r"(\d{1,3})([DWMY])", text)
        if match is None or self.remove is not None:
            return None
        return f"{int(match[1]) + int(self.days / _DAYS_PER_UNIT[match[2]]):03d}{match[2]}"


def date_rule(effect: Effect | None, project: Project, source: Elements) -> DateRule | None:
    """Work out what a rule's effect is for one instance; None where it is no date rule.

    Args:
        effect: what the rule does.
        project: whose secret amounts are derived from.
        source: the instance's root elements.
    """
    if isinstance(effect, TruncateDate):
        return DateRule(remove=effect.remove)
    if isinstance(effect, Shift):
        return DateRule(effect.days, effect.seconds)
    if isinstance(effect, ShiftRange):
        patient = str(source["00100020"].values[0])
        days = project.scale(patient, effect.min_days, effect.max_days)
        return DateRule(days, project.scale(patient, effect.min_seconds, effect.max_seconds))
    if isinstance(effect, ShiftByTag):
        return DateRule(_integer(effect.days_tag, source), _integer(effect.seconds_tag, source))
    return None


def _integer(tag: int | None, source: Elements) -> int:
    return int(str(source[f"{tag:08X}"].values[0])) if tag is not None else 0


def _read(text: str) -> datetime:
    """Read the digits of a date and time of any precision, without its offset."""
    digits, _, fraction = text.removesuffix(offset_in(text)).partition(".")
    whole = digits + "00000101000000"[len(digits) :] + (fraction or "0").ljust(6, "0")
    return datetime.strptime(whole, "%Y%m%d%H%M%S%f")
