"""A checked profile: rules in order, each with a guard, a selector and an effect. Data without behaviour.

Source: the language page, sections 1, 2, 5 and 7.
"""

from dataclasses import dataclass
from enum import StrEnum

from karnak.ir.expression import Expression, Template
from karnak.ir.selector import Selector
from karnak.ir.span import NOWHERE, Span
from karnak.standard.confidentiality import Option

DATE_VRS = frozenset({"AS", "DA", "DT", "TM"})


class Action(StrEnum):
    """What is done to an element: the letters of PS3.15 Annex E; D and DDum put a dummy value."""

    KEEP = "K"
    REMOVE = "X"
    EMPTY = "Z"
    UID = "U"
    DUMMY = "D"


@dataclass(frozen=True, slots=True)
class Apply:
    """Do one action to every selected element (`action.on.specific.tags`, `.privatetags`, `replace.uid`)."""

    action: Action


@dataclass(frozen=True, slots=True)
class Shift:
    """Move dates by fixed amounts (`shift`): both are subtracted, ages grow.

    Attributes:
        days: whole days, any sign.
        seconds: whole seconds, any sign.
    """

    days: int
    seconds: int


@dataclass(frozen=True, slots=True)
class ShiftRange:
    """Move dates by amounts drawn from ranges by PatientID and secret (`shift_range`); maxima exclusive."""

    min_days: int
    max_days: int
    min_seconds: int
    max_seconds: int


@dataclass(frozen=True, slots=True)
class ShiftByTag:
    """Move dates by integers read from the instance (`shift_by_tag`); at least one tag is given."""

    days_tag: int | None
    seconds_tag: int | None


class DatePart(StrEnum):
    """What `date_format` removes from a date."""

    DAY = "day"
    MONTH_DAY = "month_day"


@dataclass(frozen=True, slots=True)
class TruncateDate:
    """Set the day, or the month and the day, to 01 (`date_format`); DA and DT only."""

    remove: DatePart


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Ask an expression of type Action, per element (`expression.on.tags`)."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class BasicProfile:
    """PS3.15 Table E.1-1 with the options that are declared (`basic.dicom.profile`)."""

    options: frozenset[Option] = frozenset()


@dataclass(frozen=True, slots=True)
class AddElement:
    """Add a standard element at the root if it is absent and the IOD has it (`action.add.tag`).

    Attributes:
        tag: 32-bit tag.
        vr: its value representation in the dictionary.
        value: the text as the profile gives it; numbers of binary VRs in decimal.
    """

    tag: int
    vr: str
    value: str


@dataclass(frozen=True, slots=True)
class AddPrivateElement:
    """Add a private element at the root if it is absent (`action.add.private.tag`)."""

    tag: int
    vr: str
    value: str
    creator: str | None


@dataclass(frozen=True, slots=True)
class ReplaceFromService:
    """Replace values by what an HTTP service answers (`action.replace.api`)."""

    url: Template
    response_path: str
    method: str
    body: Template | None
    auth_config: str | None
    default_value: str | None


@dataclass(frozen=True, slots=True)
class CleanPixelData:
    """Fill regions of the image (`clean.pixel.data`), by masks or by a service that finds text."""

    automatic_masks: bool


@dataclass(frozen=True, slots=True)
class CleanRecognizableVisualFeatures:
    """Deface (`clean.recognizable.visual.features`)."""


DateEffect = Shift | ShiftRange | ShiftByTag | TruncateDate
Addition = AddElement | AddPrivateElement
PixelEffect = CleanPixelData | CleanRecognizableVisualFeatures
Effect = Apply | DateEffect | Evaluate | BasicProfile | Addition | ReplaceFromService | PixelEffect


@dataclass(frozen=True, slots=True)
class Rule:
    """One profile element.

    Attributes:
        name: as the author wrote it.
        codename: one of the language's element types.
        selector: the elements it speaks of; for additions and pixel effects, nothing.
        effect: what it does.
        guard: a condition of type Bool on the original root dataset, or None for always.
        span: where it stands.
    """

    name: str
    codename: str
    selector: Selector
    effect: Effect
    guard: Expression | None = None
    span: Span = NOWHERE


@dataclass(frozen=True, slots=True)
class Mask:
    """A set of rectangles to fill on images from one station.

    Attributes:
        station: value of StationName (0008,1010) it applies to, or None for any.
        size: (columns, rows) in pixels it applies to, or None for any.
        rectangles: (x, y, width, height) in pixels from the upper left corner.
        color: 8-bit (red, green, blue); black where the author gave none.
    """

    station: str | None
    size: tuple[int, int] | None
    rectangles: tuple[tuple[int, int, int, int], ...]
    color: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole profile, checked.

    Attributes:
        name: as written, or "" where there is none.
        version: as written, or "".
        minimum_karnak_version: as written, or "".
        default_issuer: default IssuerOfPatientID, or "".
        rules: in profile order, which is the order in which they are asked.
        masks: in profile order.
    """

    name: str
    version: str
    minimum_karnak_version: str
    default_issuer: str
    rules: tuple[Rule, ...]
    masks: tuple[Mask, ...] = ()
