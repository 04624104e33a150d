"""The attributes that de-identification always sets, whatever the rules say.

They tell a reader of the output that and how it was de-identified, and claim only what was
done. Tag morphing sets none of them. Source: PS3.15 E.1.1, PS3.3 C.7.1.1 and C.7.1.3; the
language page, section 6.
"""

from datetime import UTC, datetime

from pydicom.dataelem import DataElement, RawDataElement

from karnak.runtime.deeds import Deeds
from karnak.runtime.encoding import Encoding, ItemSequence, RawDataset, sequence
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from karnak.runtime.rejection import Rejected
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE, Repertoire, TextError
from karnak.runtime.values import ValueRefused, encode_text
from karnak.standard.codes import DEIDENTIFICATION_METHODS, OPTION_CODES, SCHEME
from karnak.standard.confidentiality import Option
from karnak.version import VERSION

INSTANCE_CREATION_DATE = 0x00080012
INSTANCE_CREATION_TIME = 0x00080013
PATIENT_ID = 0x00100020
DEIDENTIFICATION_METHOD_CODE_SEQUENCE = 0x00120064
# ClinicalTrialSubjectReadingID, ...ProtocolEthicsCommitteeName, ...ProtocolEthicsCommitteeApprovalNumber.
_REMOVED = (0x00120042, 0x00120081, 0x00120082)
_MAX_LO = 64
_METHOD = 0x00120063
_BASIC_PROFILE = "113100"


def always_set(
    deeds: Deeds,
    program: Program,
    project: Project,
    pseudonym: str,
    now: datetime,
    encoding: Encoding,
    repertoire: Repertoire,
) -> tuple[dict[int, RawDataElement | DataElement], tuple[int, ...]]:
    """Make the attributes of a de-identified instance.

    Args:
        deeds: what the rules did.
        program: gives the profile's name, version and digest.
        project: gives the sponsor's name and the new PatientID.
        pseudonym: the patient's pseudonym, 1 to 64 characters without backslash and control characters.
        now: the time of de-identification, with its zone.
        encoding: how the output is encoded.
        repertoire: the characters that the output can hold.

    Returns:
        The elements to set, by tag, and the tags of those to remove.

    Raises:
        Rejected: a value cannot be written in the instance's character set, or is no legal value.
    """
    utc = now.astimezone(UTC)
    profile = program.profile
    texts: dict[int, tuple[str, str]] = {
        INSTANCE_CREATION_DATE: ("DA", f"{utc:%Y%m%d}"),
        INSTANCE_CREATION_TIME: ("TM", f"{utc:%H%M%S.%f}"),
        0x00100010: ("PN", pseudonym),
        PATIENT_ID: ("LO", project.patient_id(pseudonym)),
        0x00120010: ("LO", project.name),
        0x00120020: ("LO", profile.name),
        0x00120021: ("LO", ""),
        0x00120030: ("LO", ""),
        0x00120031: ("LO", ""),
        0x00120040: ("LO", pseudonym),
        0x00120062: ("CS", "YES"),
        0x00280303: ("CS", _longitudinal(deeds)),
    }
    method = (f"Karnak {VERSION}", f"{profile.name} {profile.version}".strip(), program.digest)
    _check(pseudonym, "the pseudonym")
    _check(project.name, "the project's name")
    for part in method[1:]:
        _check(part, "the profile's name and version")
    elements: dict[int, RawDataElement | DataElement] = {}
    try:
        for tag, (vr, text) in texts.items():
            elements[tag] = encode_text(tag, vr, text, repertoire)
        elements[_METHOD] = _method(method, repertoire)
    except (TextError, ValueRefused) as error:
        raise Rejected(f"the attributes that de-identification sets cannot be written: {error}") from None
    codes = _codes(deeds)
    if not codes:
        return elements, (*_REMOVED, DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
    elements[DEIDENTIFICATION_METHOD_CODE_SEQUENCE] = _method_codes(codes, encoding)
    return elements, _REMOVED


def _method(parts: tuple[str, ...], repertoire: Repertoire) -> RawDataElement:
    """DeidentificationMethod (0012,0063): product, profile, digest.

    The digest fills the 64 characters of an LO. A space that pads the element would make it 65 for readers that count
    it, so it stands behind the product, where nobody does.
    """
    product, *others = filter(None, parts)
    element = encode_text(_METHOD, "LO", "\\".join((product, *others)), repertoire)
    if (element.value or b"").endswith(b" "):
        element = encode_text(_METHOD, "LO", "\\".join((product + " ", *others)), repertoire)
    return element


def _check(text: str, what: str) -> None:
    """Refuse what is no value of LO and PN, or would become two."""
    if len(text) > _MAX_LO or "\\" in text or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise Rejected(f"{what} is longer than {_MAX_LO} characters, or holds a backslash or a control character")


def _longitudinal(deeds: Deeds) -> str:
    """LongitudinalTemporalInformationModified (0028,0303), PS3.3 C.7.6.1."""
    if deeds.dates_moved:
        return "MODIFIED"
    if Option.RETAIN_FULL_DATES in deeds.options:
        return "UNMODIFIED"
    # The basic profile leaves no date that could be relied on, also where there was none to remove.
    return "REMOVED" if deeds.dates_lost or deeds.basic else "UNMODIFIED"


def _codes(deeds: Deeds) -> list[str]:
    """Codes of CID 7050 for what was really done, in ascending order."""
    codes = {_BASIC_PROFILE} if deeds.basic else set()
    codes |= {OPTION_CODES[option] for option in deeds.options}
    if deeds.dates_moved:
        codes.add(OPTION_CODES[Option.RETAIN_MODIFIED_DATES])
    if deeds.private_kept and not deeds.private_unsafe:
        codes.add(OPTION_CODES[Option.RETAIN_SAFE_PRIVATE])
    elif deeds.private_unsafe:
        codes.discard(OPTION_CODES[Option.RETAIN_SAFE_PRIVATE])
    return sorted(codes)


def _method_codes(codes: list[str], encoding: Encoding) -> DataElement:
    items: list[RawDataset] = []
    plain = DEFAULT_REPERTOIRE
    for code in codes:
        item = RawDataset()
        item.put(encode_text(0x00080100, "SH", code, plain))
        item.put(encode_text(0x00080102, "SH", SCHEME, plain))
        item.put(encode_text(0x00080104, "LO", DEIDENTIFICATION_METHODS[code], plain))
        item.is_undefined_length_sequence_item = False
        items.append(item)
    return sequence(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, ItemSequence(items, "SQ", False, encoding))
