"""The closed vocabulary in which divergences.yml speaks of values: each word is one question about a difference."""

from collections.abc import Callable
from datetime import UTC

from tests.golden.comparison import CODE_TAGS, REGISTERED, Difference
from tests.golden.dataset_form import NUMBERS, Element
from tests.golden.instants import DATE_VRS, cut_to, instant, instants

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
        return element.blob.zero
    constant: str | int = "0" if element.vr in ZERO_TEXT else 0 if element.vr in NUMBERS else "UNKNOWN"
    return all(value == constant for value in element.values)


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
def ours_absent(difference: Difference) -> bool:
    """We left the element out."""
    return difference.ours is None


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
        str(value).startswith(("2.25.", REGISTERED)) for value in ours.values
    )


@_predicate
def reference_hash(difference: Difference) -> bool:
    """The reference engine put one UID under 2.25."""
    reference = difference.reference
    return reference is not None and len(reference.values) == 1 and str(reference.values[0]).startswith("2.25.")


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
def cut_to_source_precision(difference: Difference) -> bool:
    """Our DT is the reference engine's, cut to the precision that the source has."""
    reference, ours, source = difference.reference, difference.ours, difference.source
    if reference is None or ours is None or source is None or len(ours.values) != 1 or len(reference.values) != 1:
        return False
    precise, written, model = str(reference.values[0]), str(ours.values[0]), str(source.values[0])
    return cut_to(precise, model) == cut_to(written, written) == written.partition("+")[0].partition("-")[0]


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
def un_source(difference: Difference) -> bool:
    """The source encodes the element with the value representation UN."""
    return difference.source is not None and difference.source.vr == "UN"
