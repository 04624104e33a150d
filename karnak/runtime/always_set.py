"""The attributes that de-identification always sets, whatever the rules say.

They tell a reader of the output that and how it was de-identified, and claim only what was
done. Tag morphing sets none of them. Source: PS3.15 E.1.1, PS3.3 C.7.1.1 and C.7.1.3; the
language page, section 6.
"""

from datetime import UTC, datetime

from karnak.ir.selector import format_tag
from karnak.runtime.encoding import ItemSequence, RawDataset, sequence
from karnak.runtime.interpret import Deeds, Interpretation, Rejected
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Change
from karnak.runtime.program import Program
from karnak.runtime.repertoire import Repertoire, TextError
from karnak.runtime.values import ValueRefused, encode_text
from karnak.standard.codes import DEIDENTIFICATION_METHODS, OPTION_CODES, SCHEME
from karnak.standard.confidentiality import Option
from karnak.version import VERSION

DEIDENTIFICATION_METHOD_CODE_SEQUENCE = 0x00120064
# ClinicalTrialSubjectReadingID, ...ProtocolEthicsCommitteeName, ...ProtocolEthicsCommitteeApprovalNumber.
_REMOVED = (0x00120042, 0x00120081, 0x00120082)
_MAX_LO = 64
_BASIC_PROFILE = "113100"


def always_set(
    interpretation: Interpretation, program: Program, project: Project, pseudonym: str, now: datetime
) -> None:
    """Set the attributes of a de-identified instance.

    Args:
        interpretation: what the rules made; changed in place.
        program: gives the profile's name, version and digest.
        project: gives the sponsor's name and the new PatientID.
        pseudonym: the patient's pseudonym, 1 to 64 characters without backslash and control characters.
        now: the time of de-identification, with its zone.

    Raises:
        Rejected: a value cannot be written in the instance's character set, or is no legal value.
    """
    utc = now.astimezone(UTC)
    deeds = interpretation.deeds
    profile = program.profile
    texts: dict[int, tuple[str, str]] = {
        0x00080012: ("DA", f"{utc:%Y%m%d}"),
        0x00080013: ("TM", f"{utc:%H%M%S.%f}"),
        0x00100010: ("PN", pseudonym),
        0x00100020: ("LO", project.patient_id(pseudonym)),
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
    dataset = interpretation.dataset
    repertoire = interpretation.around.output_repertoire
    try:
        _check(pseudonym, "the pseudonym")
        _check(project.name, "the project's name")
        for part in method[1:]:
            _check(part, "the profile's name and version")
        for tag, (vr, text) in texts.items():
            dataset.put(encode_text(tag, vr, text, repertoire))
        dataset.put(encode_text(0x00120063, "LO", "\\".join(filter(None, method)), repertoire))
    except (TextError, ValueRefused) as error:
        raise Rejected(f"the attributes that de-identification sets cannot be written: {error}") from None
    for tag in _REMOVED:
        if tag in dataset:
            del dataset[tag]
    _set_method_codes(dataset, _codes(deeds), interpretation)
    tags = sorted([*texts, 0x00120063, DEIDENTIFICATION_METHOD_CODE_SEQUENCE])
    interpretation.changes += [Change(format_tag(tag), "set", None, 0) for tag in tags]


def _check(text: str, what: str) -> None:
    """Refuse what is no value of LO and PN, or would become two."""
    if len(text) > _MAX_LO or "\\" in text or any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise Rejected(f"{what} is longer than {_MAX_LO} characters, or holds a backslash or a control character")


def _longitudinal(deeds: Deeds) -> str:
    """LongitudinalTemporalInformationModified (0028,0303), PS3.3 C.7.6.1."""
    if deeds.dates_moved:
        return "MODIFIED"
    return "REMOVED" if deeds.dates_lost else "UNMODIFIED"


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


def _set_method_codes(dataset: RawDataset, codes: list[str], interpretation: Interpretation) -> None:
    if not codes:
        dataset.pop(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, None)
        return
    items: list[RawDataset] = []
    plain = Repertoire()
    for code in codes:
        item = RawDataset()
        item.put(encode_text(0x00080100, "SH", code, plain))
        item.put(encode_text(0x00080102, "SH", SCHEME, plain))
        item.put(encode_text(0x00080104, "LO", DEIDENTIFICATION_METHODS[code], plain))
        item.is_undefined_length_sequence_item = False
        items.append(item)
    made = ItemSequence(items, "SQ", False, interpretation.around.encoding)
    dataset.put(sequence(DEIDENTIFICATION_METHOD_CODE_SEQUENCE, made))
