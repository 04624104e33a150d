"""Strategies for instances: nested, private, in every encoding, with all the ways of writing lengths.

Every instance is well formed by PS3.5: readers must take it. What its elements say may be
odd all the same. Instances are made as trees, so that a test knows what it put in.
"""

from collections.abc import Iterable
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from karnak.standard import dictionary
from karnak.testing.character_sets import ALL, DEFAULT, CharacterSet
from karnak.testing.specimen import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    JPEG_BASELINE,
    RLE,
    Element,
    Fragments,
    Item,
    Items,
    Leaf,
    Specimen,
    leaf,
    padded,
    part10,
    tag_of,
)
from karnak.testing.values import REGISTERED_UIDS, UIDS, as_one, one_in, values

# What elements are made from: attributes of every VR, of every action of PS3.15 table E.1-1, in and out of IODs.
LEAVES = tuple(
    """
    ImageType InstanceCreationDate InstanceCreationTime InstanceCreatorUID StudyDate SeriesDate AcquisitionDate
    ContentDate AcquisitionDateTime StudyTime SeriesTime ContentTime AccessionNumber Modality Manufacturer
    InstitutionName InstitutionAddress ReferringPhysicianName TimezoneOffsetFromUTC CodeValue CodingSchemeDesignator
    CodeMeaning LongCodeValue URNCodeValue StationName StudyDescription SeriesDescription OperatorsName
    ManufacturerModelName ReferencedSOPClassUID ReferencedSOPInstanceUID RetrieveURL IrradiationEventUID
    PatientName IssuerOfPatientID PatientBirthDate PatientBirthTime PatientSex OtherPatientIDs PatientAge PatientSize
    EthnicGroup AdditionalPatientHistory PatientComments PatientIdentityRemoved DeidentificationMethod
    ClinicalTrialSubjectReadingID ContrastBolusAgent SliceThickness DateOfSecondaryCapture DeviceSerialNumber
    ProtocolName DateOfLastCalibration TimeOfLastCalibration ReferencePixelX0 StudyID SeriesNumber InstanceNumber
    ImagePositionPatient FrameOfReferenceUID ImageComments FrameIncrementPointer Rows Columns PixelSpacing
    SmallestImagePixelValue BurnedInAnnotation LongitudinalTemporalInformationModified RescaleSlope
    RequestedProcedureDescription ScheduledProcedureStepStartDateTime PerformedProcedureStepStartDate DateTime Date
    Time UID PersonName TextValue ReferencedFrameOfReferenceUID LongPrimitivePointIndexList ExtendedOffsetTable
    ExposureTimeInms EncapsulatedDocument FloatPixelData FileOffsetInContainer SimpleFrameList
    """.split()
)
SEQUENCES = tuple(
    """
    ReferencedStudySequence ReferencedImageSequence SourceImageSequence RequestAttributesSequence
    ProcedureCodeSequence OtherPatientIDsSequence OriginalAttributesSequence ContentSequence
    ConceptNameCodeSequence SharedFunctionalGroupsSequence DeidentificationMethodCodeSequence
    """.split()
)
REPEATING = (("60000010", "US"), ("60003000", "OW"), ("60020022", "LO"), ("50003000", "OW"), ("00203100", "CS"))
UNKNOWN_TAGS = (0x0008FFF1, 0x7776AB01)
# Groups, creators and VRs of private elements; two creators are in the table of safe ones (PS3.15 table E.3.10-1).
PRIVATE_GROUPS = (0x0009, 0x0019, 0x0043)
CREATORS = ("ACME 1.0", "SIEMENS MR HEADER", "GEMS_PARM_01")
PRIVATE_LOW_BYTES = (0x01, 0x0C, 0x27, 0x6F)
PRIVATE_VRS = ("LO", "DA", "UI", "UN", "SQ", *sorted(dictionary.VRS))
SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.88.11",
    "1.2.3.4.5.99",
)
TRANSFER_SYNTAXES = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG_BASELINE, JPEG_2000, RLE)
_ENCAPSULATED = frozenset({JPEG_BASELINE, JPEG_2000, RLE})
_PIXEL_DATA = 0x7FE00010
_CHARACTER_SET = 0x00080005
_DEPTH = 3


def _in_order(groups: Iterable[Iterable[Element]]) -> tuple[Element, ...]:
    found: dict[int, Element] = {}
    for group in groups:
        for element in group:
            found.setdefault(element.tag, element)
    return tuple(found[tag] for tag in sorted(found))


def _leaf(tag: int, vr: str, as_unknown: bool, value: bytes) -> list[Element]:
    # Seven in eight: the standard's own VR. An element may always be sent as UN (PS3.5 6.2.2).
    return [Leaf(tag, "UN" if as_unknown else vr, value)]


@cache
def _leaves_of(name: str, character_set: CharacterSet) -> SearchStrategy[list[Element]]:
    model = leaf(name)
    unknown = one_in(12)
    return st.builds(_leaf, st.just(model.tag), st.just(model.vr), unknown, values(model.vr, character_set))


@cache
def leaves(character_set: CharacterSet = DEFAULT) -> SearchStrategy[list[Element]]:
    """One element of the standard, as a list of one."""
    usual = st.sampled_from(LEAVES).flatmap(lambda name: _leaves_of(name, character_set))
    repeating = st.sampled_from(REPEATING).flatmap(
        lambda pair: values(pair[1], character_set).map(lambda value: [Leaf(int(pair[0], 16), pair[1], value)])
    )
    unknown = st.builds(lambda tag, value: [Leaf(tag, "UN", value)], st.sampled_from(UNKNOWN_TAGS), values("UN"))
    lengths = st.sampled_from([0x00080000, 0x00100000, 0x00090000]).map(lambda tag: [leaf(tag, 4242, "UL")])
    return st.one_of(usual, usual, usual, usual, usual, repeating, unknown, lengths)


def _sequence(tag: int, items: list[Item], undefined: bool, unknown: bool) -> list[Element]:
    return [Items(tag, tuple(items), undefined, unknown)]


@cache
def sequences(depth: int, character_set: CharacterSet = DEFAULT) -> SearchStrategy[list[Element]]:
    """One sequence of the standard with 0 to 3 items, as a list of one.

    Args:
        depth: how many levels its items may have, 0 for leaves only.
        character_set: of the dataset around; an item may have another one.
    """
    tags = st.sampled_from(SEQUENCES).map(tag_of)
    unknown = one_in(6)
    return st.builds(_sequence, tags, _items(depth, character_set), st.booleans(), unknown)


@cache
def _items(depth: int, character_set: CharacterSet) -> SearchStrategy[list[Item]]:
    own = st.sampled_from([character_set] * 6 + list(ALL))
    inside = own.flatmap(lambda mine: _item_elements(depth, mine, mine is not character_set))
    return st.lists(st.builds(Item, inside, st.booleans()), max_size=3)


@cache
def _item_elements(depth: int, character_set: CharacterSet, says_so: bool) -> SearchStrategy[tuple[Element, ...]]:
    found = elements(depth, character_set)
    if not says_so:
        return found
    named = [Leaf(_CHARACTER_SET, "CS", character_set.value)]
    return found.map(lambda inside: _in_order([named, inside]))


def _block(group: int, block: int, creator: str | None, inside: list[tuple[int, str, bytes, list[Item]]]) -> (
    list[Element]
):  # fmt: skip
    made: list[Element] = []
    if creator is not None:
        made.append(leaf(group << 16 | block, creator, "LO"))
    for low, vr, value, items in inside:
        tag = group << 16 | block << 8 | low
        made.append(Items(tag, tuple(items), bool(low & 1), low == 0x27) if vr == "SQ" else Leaf(tag, vr, value))
    return made


@cache
def private_blocks(depth: int, character_set: CharacterSet = DEFAULT) -> SearchStrategy[list[Element]]:
    """A private creator, or none, and 0 to 3 elements of its block; sequences among them, also hidden in UN."""
    items = _items(depth - 1, character_set) if depth > 0 else st.just([])
    element = st.sampled_from(PRIVATE_VRS).flatmap(
        lambda vr: st.tuples(
            st.sampled_from(PRIVATE_LOW_BYTES),
            st.just(vr),
            values(vr, character_set) if vr != "SQ" else st.just(b""),
            items if vr == "SQ" else st.just([]),
        )
    )
    inside = st.lists(element, max_size=3, unique_by=lambda parts: parts[0])
    creators = st.sampled_from([*CREATORS, None])
    return st.builds(_block, st.sampled_from(PRIVATE_GROUPS), st.sampled_from([0x10, 0x11, 0xFF]), creators, inside)


@cache
def elements(depth: int = _DEPTH, character_set: CharacterSet = DEFAULT) -> SearchStrategy[tuple[Element, ...]]:
    """The elements of a dataset, in ascending order of tags, without what identifies an instance.

    Args:
        depth: how many levels of sequences there may be below.
        character_set: of its texts; SpecificCharacterSet itself is not among the elements.
    """
    one = leaves(character_set)
    if depth > 0:
        deeper = (sequences(depth - 1, character_set), private_blocks(depth - 1, character_set))
        one = st.one_of(as_one(one), as_one(one), *deeper)
    return st.lists(one, max_size=6 if depth == _DEPTH else 3).map(_in_order)


@cache
def _pixels(transfer_syntax_uid: str) -> SearchStrategy[list[Element]]:
    if transfer_syntax_uid in _ENCAPSULATED:
        fragments = st.lists(st.binary(max_size=8).map(lambda data: padded("OB", data)), min_size=1, max_size=3)
        some: SearchStrategy[list[Element]] = fragments.map(lambda data: [Fragments(_PIXEL_DATA, (b"", *data))])
    else:
        some = values("OW").map(lambda data: [Leaf(_PIXEL_DATA, "OW", data)])
    return st.one_of(st.just([]), some)


@cache
def _identity(patient_id: str | None) -> SearchStrategy[list[Element]]:
    def make(sop_class: str, instance: str, study: str, series: str) -> list[Element]:
        made: list[Element] = [leaf("SOPClassUID", sop_class), leaf("SOPInstanceUID", instance)]
        made += [] if patient_id is None else [leaf("PatientID", patient_id)]
        return [*made, leaf("StudyInstanceUID", study), leaf("SeriesInstanceUID", series)]

    uid = st.sampled_from(UIDS)
    return st.builds(make, st.sampled_from(SOP_CLASSES), uid, uid, uid)


@cache
def _ends(transfer_syntax_uid: str) -> SearchStrategy[list[Element]]:
    padding: list[Element] = [Leaf(0xFFFCFFFC, "OB", bytes(6))]
    nothing: list[Element] = []
    return st.one_of(_pixels(transfer_syntax_uid), st.sampled_from([nothing, padding]))


_META = (
    (),
    (leaf("00020013", "SCANNER 3"), leaf("00020016", "SOURCE_AE"), leaf("00020100", "1.2.3.9", "UI"),
     leaf("00020102", b"secret", "OB")),
)  # fmt: skip


@cache
def _specimens(
    transfer_syntax_uid: str, character_set: CharacterSet, patient_id: str | None
) -> SearchStrategy[Specimen]:
    named = [] if character_set is DEFAULT else [Leaf(_CHARACTER_SET, "CS", character_set.value)]
    found = st.tuples(
        st.just(named),
        _identity(patient_id),
        elements(_DEPTH, character_set),
        _ends(transfer_syntax_uid),
    ).map(_in_order)
    preambles = st.sampled_from([bytes(128), b"II*\0" + b"PREAMBLE" + bytes(116)])
    return st.builds(Specimen, found, st.just(transfer_syntax_uid), st.sampled_from(_META), preambles)


def specimens(
    *,
    transfer_syntaxes: tuple[str, ...] = TRANSFER_SYNTAXES,
    character_sets: tuple[CharacterSet, ...] = ALL,
    patient_ids: tuple[str | None, ...] = ("PAT-1", "PAT-2"),
) -> SearchStrategy[Specimen]:
    """Instances as trees.

    They shrink to an instance in Explicit VR Little Endian with the five elements that identify it.

    Args:
        transfer_syntaxes: UIDs to choose from.
        character_sets: of the root dataset; items may have others.
        patient_ids: values of PatientID to choose from; None leaves it out.
    """
    chosen = st.tuples(
        st.sampled_from(transfer_syntaxes), st.sampled_from(character_sets), st.sampled_from(patient_ids)
    )
    return chosen.flatmap(lambda parts: _specimens(*parts))


def instances(
    *,
    transfer_syntaxes: tuple[str, ...] = TRANSFER_SYNTAXES,
    character_sets: tuple[CharacterSet, ...] = ALL,
    patient_ids: tuple[str | None, ...] = ("PAT-1", "PAT-2"),
) -> SearchStrategy[bytes]:
    """Instances as Part 10 files; the arguments are those of `specimens`."""
    found = specimens(transfer_syntaxes=transfer_syntaxes, character_sets=character_sets, patient_ids=patient_ids)
    return found.map(part10)


def hierarchies() -> SearchStrategy[tuple[Specimen, ...]]:
    """2 to 4 instances of one patient that refer to UIDs of each other."""
    return st.lists(specimens(patient_ids=("PAT-1",)), min_size=2, max_size=4).map(tuple)


def damaged() -> SearchStrategy[bytes]:
    """Part 10 files with something wrong: cut short, or with some bytes changed, taken out or put in."""

    def damage(data: bytes, places: list[tuple[int, int, bytes]]) -> bytes:
        for place, gone, new in places:
            position = 132 + place % max(1, len(data) - 132)
            data = data[:position] + new + data[position + gone :]
        return data

    places = st.tuples(st.integers(0, 2**16), st.integers(0, 4), st.binary(max_size=4))
    changed = st.builds(damage, instances(), st.lists(places, min_size=1, max_size=3))
    cut = st.builds(lambda data, at: data[: at % len(data)], instances(), st.integers(0, 2**16))
    return st.one_of(changed, cut)


__all__ = [
    "CREATORS",
    "LEAVES",
    "PRIVATE_GROUPS",
    "REGISTERED_UIDS",
    "REPEATING",
    "SEQUENCES",
    "SOP_CLASSES",
    "TRANSFER_SYNTAXES",
    "damaged",
    "elements",
    "hierarchies",
    "instances",
    "specimens",
]
