"""Carrying out a decision on one leaf, with what happens to a date that cannot be parsed."""

from dataclasses import replace

from pydicom.dataelem import RawDataElement

from karnak.ir.profile import DATE_VRS, DatePart
from karnak.ir.selector import ElementPath
from karnak.runtime import values
from karnak.runtime.basic import settle
from karnak.runtime.dates import Amount, DateError, shift, truncate
from karnak.runtime.decision import VERBS, Decision, Verb
from karnak.runtime.values import Surroundings


def carry_out(
    decision: Decision,
    element: RawDataElement,
    sop_class_uid: str | None,
    path: ElementPath,
    vr: str,
    around: Surroundings,
) -> tuple[Decision, RawDataElement | None]:
    """Make of a leaf what was decided, None where it goes.

    A date that cannot be parsed is treated as X/Z/D by the IOD (section 2); the decision that was carried out
    comes back with the leaf.
    """
    try:
        return decision, transform(decision, element, vr, around)
    except DateError:
        strictest = replace(decision, verb=VERBS[settle("X/Z/D", sop_class_uid, path)])
        return strictest, transform(strictest, element, vr, around)


def transform(decision: Decision, element: RawDataElement, vr: str, around: Surroundings) -> RawDataElement | None:
    """Make of a leaf what a decision says.

    Raises:
        DateError: a date to shift or truncate cannot be parsed.
        ValueRefused: it cannot be done to this VR.
        TextError: the new text cannot be written.
    """
    tag = int(element.tag)
    match decision:
        case Decision(verb=Verb.KEEP):
            return element
        case Decision(verb=Verb.REMOVE):
            return None
        case _ if vr == "SQ":
            # A sequence that was sent as an unknown value without items: there is nothing in it to change.
            return values.empty(element)
        case Decision(verb=Verb.UID):
            return values.new_uid(element, around)
        case Decision(verb=Verb.DUMMY):
            return values.dummy(element, around)
        case Decision(verb=Verb.REPLACE, text=str(text)):
            return values.encode_value(tag, vr, text, around.encoding, around.output_repertoire)
        case Decision(verb=Verb.EMPTY):
            return values.empty(element)
        case Decision(verb=Verb.SHIFT, amount=Amount() as amount) if vr in DATE_VRS:
            return values.map_dates(element, around, lambda value: shift(value, vr, amount))
        case Decision(verb=Verb.TRUNCATE, part=DatePart() as part) if vr in DATE_VRS:
            return values.map_dates(element, around, lambda value: truncate(value, vr, part))
        case _:
            raise values.ValueRefused(f"{decision.verb} cannot be done to VR {vr}")
