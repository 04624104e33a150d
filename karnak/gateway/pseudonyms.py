"""Where a patient's pseudonym comes from: a table, an element of the instance, or the project's secret.

A pseudonym that can't be found is an error, never a guess. No message here repeats a
PatientID, a pseudonym or a cell of a table: they name files and line numbers only.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from karnak.errors import KarnakError
from karnak.ir.selector import format_tag
from karnak.runtime.keys import Project
from karnak.runtime.part10 import Instance
from karnak.runtime.repertoire import TextError

PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
# A pseudonym is written to ClinicalTrialSubjectID, an LO (PS3.5 section 6.2).
MAXIMUM_LENGTH = 64
_MAXIMUM_PROBLEMS = 20
_COLUMNS = frozenset({"patient_id", "issuer", "pseudonym"})


class PseudonymError(KarnakError):
    """A pseudonym can't be told, or a table of pseudonyms can't be used."""


class PseudonymSource(Protocol):
    """Something that knows the pseudonym of the patient of an instance."""

    def pseudonym(self, instance: Instance, project: Project) -> str:
        """Tell the pseudonym.

        Raises:
            PseudonymError: it isn't known; the instance must not be sent.
        """
        ...


@dataclass(frozen=True, slots=True)
class FixedPseudonym:
    """One pseudonym that a person gives, for instances of one patient.

    Args:
        value: the pseudonym.

    Raises:
        PseudonymError: it is no possible pseudonym.
    """

    value: str

    def __post_init__(self) -> None:
        problem = _problem(self.value.strip())
        if problem is not None:
            raise PseudonymError(f"the pseudonym {problem}")

    def pseudonym(self, instance: Instance, project: Project) -> str:
        """Give the pseudonym, whoever the patient is."""
        return self.value.strip()


@dataclass(frozen=True, slots=True)
class GeneratedPseudonym:
    """A short, stable pseudonym derived from PatientID, IssuerOfPatientID and the project's secret.

    Attributes:
        default_issuer: taken where the instance has no IssuerOfPatientID.
    """

    default_issuer: str = ""

    def pseudonym(self, instance: Instance, project: Project) -> str:
        """Derive the pseudonym.

        Raises:
            PseudonymError: the instance has no PatientID.
        """
        patient_id, issuer = _patient(instance, self.default_issuer)
        return project.pseudonym(patient_id, issuer or None)


@dataclass(frozen=True, slots=True)
class TagPseudonym:
    """The pseudonym that the sender has put into an element of the instance.

    Args:
        tag: 32-bit tag of the element, at the root.
        delimiter: text that splits the value, or None for the whole value.
        position: which piece it is, counted from 0.

    Raises:
        PseudonymError: an empty delimiter, a negative position, or a position without a delimiter.
    """

    tag: int
    delimiter: str | None = None
    position: int = 0

    def __post_init__(self) -> None:
        if self.delimiter == "":
            raise PseudonymError("the delimiter is empty; leave it out to take the whole value")
        if self.position < 0:
            raise PseudonymError("the position is negative; pieces are counted from 0")
        if self.position and self.delimiter is None:
            raise PseudonymError("a position needs a delimiter that splits the value")

    def pseudonym(self, instance: Instance, project: Project) -> str:
        """Read the pseudonym from the instance.

        Raises:
            PseudonymError: the element is absent or empty, or has no such piece, or it is no possible pseudonym.
        """
        where = format_tag(self.tag)
        text = _text(instance, self.tag)
        if text is None or not text.strip():
            raise PseudonymError(f"the instance has no pseudonym in {where}")
        if self.delimiter is not None:
            pieces = text.split(self.delimiter)
            if self.position >= len(pieces):
                raise PseudonymError(f"the value of {where} has no piece {self.position}; pieces are counted from 0")
            text = pieces[self.position]
        problem = _problem(text.strip())
        if problem is not None:
            raise PseudonymError(f"the pseudonym in {where} {problem}")
        return text.strip()


@dataclass(frozen=True, slots=True)
class CsvPseudonyms:
    """A table of patients and their pseudonyms, read once.

    The first line names the columns, in any order: `patient_id` and `pseudonym`, and `issuer`
    where PatientIDs of several issuers meet. With that column a patient is found by both;
    without it by PatientID alone.

    Attributes:
        name: name of the file, for messages.
        has_issuers: whether the table has the column `issuer`.
        default_issuer: taken where the instance has no IssuerOfPatientID.
    """

    name: str
    has_issuers: bool
    default_issuer: str
    _pseudonyms: Mapping[tuple[str, str], str] = field(repr=False)

    @classmethod
    def read(cls, path: Path, delimiter: str = ",", default_issuer: str = "") -> "CsvPseudonyms":
        """Read a table from a UTF-8 text file.

        Args:
            path: the file.
            delimiter: one character between cells.
            default_issuer: taken where an instance has no IssuerOfPatientID.

        Raises:
            PseudonymError: the file can't be read or is no such table, or a patient or a pseudonym
                stands in it twice; every bad line is named (the first 20 of them).
        """
        name = path.name
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise PseudonymError("the delimiter of a table of pseudonyms is one character")
        try:
            # A byte order mark is what spreadsheets put in front; utf-8-sig takes it away.
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise PseudonymError(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
        except OSError as error:
            raise PseudonymError(f"{name} can't be read: {error.strerror}") from None
        rows = _rows(name, text, delimiter)
        columns = _columns(name, next(rows, (1, []))[1])
        return cls(name, "issuer" in columns, default_issuer, _table(name, columns, rows))

    def __len__(self) -> int:
        return len(self._pseudonyms)

    def pseudonym(self, instance: Instance, project: Project) -> str:
        """Look up the pseudonym.

        Raises:
            PseudonymError: the instance has no PatientID, or the table doesn't have the patient.
        """
        patient_id, issuer = _patient(instance, self.default_issuer)
        found = self._pseudonyms.get((patient_id, issuer if self.has_issuers else ""))
        if found is None:
            raise PseudonymError(f"{self.name} has no pseudonym for the patient of the instance")
        return found


def _patient(instance: Instance, default_issuer: str) -> tuple[str, str]:
    patient_id = (_text(instance, PATIENT_ID) or "").strip()
    if not patient_id:
        raise PseudonymError("the instance has no PatientID (0010,0020)")
    return patient_id, (_text(instance, ISSUER_OF_PATIENT_ID) or "").strip() or default_issuer


def _text(instance: Instance, tag: int) -> str | None:
    try:
        return instance.text(tag)
    except TextError:
        raise PseudonymError(f"{format_tag(tag)} can't be read in the instance's character set") from None


def _problem(pseudonym: str) -> str | None:
    """Say why a text can't be a pseudonym, without repeating it."""
    if not pseudonym:
        return "is empty"
    if len(pseudonym) > MAXIMUM_LENGTH:
        return f"is longer than {MAXIMUM_LENGTH} characters"
    # A backslash separates values (PS3.5 section 6.4), an equals sign the groups of a person name (6.2.1).
    if any(character in "\\=" or not character.isprintable() for character in pseudonym):
        return "has a character that a person name can't hold (backslash, equals sign or control character)"
    return None


def _rows(name: str, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Give the line number and the cells of every row that isn't blank."""
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise PseudonymError(f"{name}, line {reader.line_num}: not a row of a table: {error}") from None


def _columns(name: str, header: list[str]) -> list[str]:
    columns = [cell.lower() for cell in header]
    # Not repeated in the message: without a header the first line holds a patient.
    if not {"patient_id", "pseudonym"} <= set(columns):
        raise PseudonymError(
            f"{name}, line 1: the first line must name the columns patient_id and pseudonym "
            "(and issuer where it is needed), separated by the configured delimiter"
        )
    for number, column in enumerate(columns, start=1):
        if column not in _COLUMNS or column in columns[: number - 1]:
            raise PseudonymError(
                f"{name}, line 1: column {number} is unknown or stands there twice; "
                "the columns are patient_id, issuer and pseudonym"
            )
    return columns


def _table(name: str, columns: list[str], rows: Iterator[tuple[int, list[str]]]) -> dict[tuple[str, str], str]:
    pseudonyms: dict[tuple[str, str], str] = {}
    lines_of_patients: dict[tuple[str, str], int] = {}
    lines_of_pseudonyms: dict[str, int] = {}
    problems: list[str] = []
    for line, cells in rows:
        if len(cells) != len(columns):
            problems.append(f"line {line}: {len(cells)} cells where the header has {len(columns)}")
            continue
        row = dict(zip(columns, cells, strict=True))
        patient, pseudonym = (row["patient_id"], row.get("issuer", "")), row["pseudonym"]
        problem = _problem(pseudonym)
        if not row["patient_id"]:
            problems.append(f"line {line}: the patient_id is empty")
        elif problem is not None:
            problems.append(f"line {line}: the pseudonym {problem}")
        elif patient in pseudonyms:
            problems.append(f"line {line}: the same patient as in line {lines_of_patients[patient]}")
        elif pseudonym in lines_of_pseudonyms:
            problems.append(f"line {line}: the same pseudonym as in line {lines_of_pseudonyms[pseudonym]}")
        else:
            pseudonyms[patient] = pseudonym
            lines_of_patients[patient] = line
            lines_of_pseudonyms[pseudonym] = line
    if problems:
        more = len(problems) - _MAXIMUM_PROBLEMS
        tail = [f"and {more} more"] if more > 0 else []
        raise PseudonymError(f"{name}: " + "; ".join(problems[:_MAXIMUM_PROBLEMS] + tail))
    return pseudonyms
