"""The closed vocabulary in which divergences.yml speaks of values: each word is one question about a difference."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from karnak.ir.selector import is_private_creator
from tests.golden.comparison import CODE_TAGS, DERIVED, ENUMERATED_DUMMIES, REGISTERED, Difference, is_hash
from tests.golden.dataset_form import NUMBERS, Element
from tests.golden.instants import DATE_VRS, cut_to, instant, instants, offset_in

Predicate = Callable[[Difference], bool]
PREDICATES: dict[str, Predicate] = {}
ZERO_TEXT = frozenset({"DS", "IS"})


def _predicate(question: Predicate) -> Predicate:
    PREDICATES[question.__name__] = question
    return question


def _dummy(element: Element | None) -> bool:
    """Tell whether an element holds the constant that D puts into its VR."""
    if element is None or element.empty:
        return False
    if element.blob is not None:
        return element.blob.data.rstrip(b" \0") == b"UNKNOWN" if element.vr == "UN" else element.blob.zero
    constant: str | int = "0" if element.vr in ZERO_TEXT else 0 if element.vr in NUMBERS else "UNKNOWN"
    return all(value == constant for value in element.values)


def _text(element: Element | None) -> str:
    return "\\".join(map(str, element.values)) if element is not None else ""


def _empty(element: Element | None) -> bool:
    return element is not None and element.empty


@_predicate
def ours_dummy(difference: Difference) -> bool:
    """We put the dummy of the VR."""
    return _dummy(difference.ours)


@_predicate
def ours_empty(difference: Difference) -> bool:
    """We left the element without a value."""
    return _empty(difference.ours)


@_predicate
def ours_without_value(difference: Difference) -> bool:
    """We left the element out, or without a value."""
    return difference.ours is None or difference.ours.empty


@_predicate
def reference_dummy(difference: Difference) -> bool:
    """The reference engine put the dummy of the VR."""
    return _dummy(difference.reference)


@_predicate
def reference_empty(difference: Difference) -> bool:
    """The reference engine left the element without a value."""
    return _empty(difference.reference)


@_predicate
def reference_absent(difference: Difference) -> bool:
    """The reference engine left the element out."""
    return difference.reference is None


@_predicate
def reference_kept_source(difference: Difference) -> bool:
    """The reference engine left the source's value in place."""
    return difference.reference == difference.source


@_predicate
def ours_kept_source(difference: Difference) -> bool:
    """We left the source's value in place (which the leak law looks at, too)."""
    return difference.ours == difference.source


@_predicate
def ours_project_uids(difference: Difference) -> bool:
    """Every value of ours is a UID under 2.25 or a registered one, as many as the source has."""
    ours, source = difference.ours, difference.source
    if ours is None or source is None or ours.empty:
        return False
    return len(ours.values) == len(source.values) and all(
        str(value).startswith((DERIVED, REGISTERED)) for value in ours.values
    )


@_predicate
def reference_hash(difference: Difference) -> bool:
    """The reference engine put UIDs derived from the secret."""
    return difference.reference is not None and is_hash(difference.reference)


@_predicate
def registered_uid(difference: Difference) -> bool:
    """The source's values are UIDs that DICOM registers, and ours are the same."""
    source = difference.source
    return (
        source is not None
        and difference.ours == source
        and bool(source.values)
        and all(str(value).startswith(REGISTERED) for value in source.values)
    )


@_predicate
def code_attribute(difference: Difference) -> bool:
    """The element belongs to the Code Sequence Macro."""
    return difference.nested and difference.tag in CODE_TAGS


@_predicate
def first_value_of_ours(difference: Difference) -> bool:
    """The reference engine's only value is the first of ours, as text or as a moment."""
    reference, ours = difference.reference, difference.ours
    if reference is None or ours is None or len(reference.values) != 1 or len(ours.values) < 2:
        return False
    if reference.values[0] == ours.values[0]:
        return True
    first = instants(ours)[0]
    return ours.vr in DATE_VRS and first is not None and instants(reference)[0] == first


@_predicate
def source_multivalued(difference: Difference) -> bool:
    """The source has more than one value."""
    return difference.source is not None and len(difference.source.values) > 1


@_predicate
def source_empty(difference: Difference) -> bool:
    """The source's element has no value."""
    return _empty(difference.source)


@_predicate
def source_unreadable_date(difference: Difference) -> bool:
    """Some value of the source is no date or time of its VR."""
    source = difference.source
    return source is not None and source.vr in DATE_VRS and (not source.values or None in instants(source))


@_predicate
def ours_by_the_rule(difference: Difference) -> bool:
    """Our values are what the deciding date rule makes of the source's; where one can't be read, none is left."""
    rule, source = difference.rule, difference.source
    if rule is None or source is None or source.empty:
        return False
    made = tuple(rule.applied(source.vr, str(value)) for value in source.values)
    if None in made:
        # X, Z or D by the IOD: gone, empty or a constant; the law sees to it that nothing was kept.
        return ours_without_value(difference) or ours_readable_date(difference)
    return difference.ours is not None and difference.ours.values == made


@_predicate
def ours_readable_date(difference: Difference) -> bool:
    """Every value of ours is a date or time of its VR."""
    return difference.ours is not None and difference.ours.vr in DATE_VRS and None not in instants(difference.ours)


@_predicate
def reference_cut_to_milliseconds(difference: Difference) -> bool:
    """The reference engine's DT is ours without what is finer than a millisecond."""
    reference, ours = difference.reference, difference.ours
    if reference is None or ours is None or len(reference.values) != 1 or len(ours.values) != 1:
        return False
    precise, written = instants(ours)[0], instants(reference)[0]
    if not isinstance(precise, datetime) or not isinstance(written, datetime):
        return False
    return written == precise.replace(microsecond=precise.microsecond // 1000 * 1000)


@_predicate
def root_value_in_reference(difference: Difference) -> bool:
    """The reference engine put into an item what it made of the root's element of the same tag."""
    at_root = difference.scene.reference.get(difference.tag)
    return difference.nested and difference.reference is not None and difference.reference == at_root


@_predicate
def made_of_own_value(difference: Difference) -> bool:
    """Ours is the reference engine's text with the element's own value where it put the root's."""
    at_root = difference.scene.source.get(difference.tag)
    reference, ours, own = _text(difference.reference), _text(difference.ours), _text(difference.source)
    return difference.nested and ours != "" and reference.replace(_text(at_root) or "null", own, 1) == ours


@_predicate
def dummy_content(difference: Difference) -> bool:
    """We left nothing of a document's content but one comment that says nothing."""
    return difference.in_dummy_content


@_predicate
def enumerated_dummy(difference: Difference) -> bool:
    """We put the dummy that the attribute's enumerated values have room for; the reference engine put UNKNOWN."""
    ours = difference.ours
    return (
        ours is not None
        and _dummy(difference.reference)
        and ours.values == (ENUMERATED_DUMMIES.get(difference.tag, ""),)
    )


@_predicate
def reference_impossible_age(difference: Difference) -> bool:
    """The reference engine's age is none (PS3.5 6.2: three digits and a unit)."""
    return re.fullmatch(r"\d{3}[DWMY]", _text(difference.reference)) is None


@_predicate
def private_creator(difference: Difference) -> bool:
    """The element reserves a block of private elements."""
    return is_private_creator(int(difference.tag, 16))


@_predicate
def cut_to_source_precision(difference: Difference) -> bool:
    """Our DT is the reference engine's, cut to the precision that the source has."""
    reference, ours, source = difference.reference, difference.ours, difference.source
    if reference is None or ours is None or source is None or len(ours.values) != 1 or len(reference.values) != 1:
        return False
    precise, written, model = str(reference.values[0]), str(ours.values[0]), str(source.values[0])
    return cut_to(precise, model) == written.removesuffix(offset_in(written))


@_predicate
def same_moment_in_instance_zone(difference: Difference) -> bool:
    """The moments are equal once our local times are read with the instance's own offset from UTC."""
    reference, ours = difference.reference, difference.ours
    if reference is None or ours is None or len(reference.values) != len(ours.values):
        return False
    zone = difference.scene.zone
    there = [instant(reference.vr, str(value), UTC) for value in reference.values]
    here = [instant(ours.vr, str(value), zone) for value in ours.values]
    return None not in here and here == there


@_predicate
def reference_wrote_null(difference: Difference) -> bool:
    """The reference engine's text is ours with the word "null" where nothing was."""
    reference, ours = difference.reference, difference.ours
    if reference is None or len(reference.values) != 1:
        return False
    return str(reference.values[0]).replace("null", "") == (str(ours.values[0]) if ours and ours.values else "")


@_predicate
def reference_wrote_question_marks(difference: Difference) -> bool:
    """The reference engine's text has `?` where the source has none."""
    reference, source = difference.reference, difference.source
    return (
        reference is not None
        and any("?" in str(value) for value in reference.values)
        and not (source is not None and any("?" in str(value) for value in source.values))
    )


@_predicate
def items_in_unknown(difference: Difference) -> bool:
    """The source hides a sequence in the value of an element with the value representation UN (PS3.5 6.2.2)."""
    source = difference.source
    return source is not None and source.vr == "UN" and source.raw.startswith(b"\xfe\xff\x00\xe0")


@_predicate
def unpadded_age(difference: Difference) -> bool:
    """The source's age has fewer than three digits."""
    source = difference.source
    return source is not None and source.vr == "AS" and any(len(str(value)) < 4 for value in source.values)


@_predicate
def un_source(difference: Difference) -> bool:
    """The source encodes the element with the value representation UN."""
    return difference.source is not None and difference.source.vr == "UN"
