"""Pseudonyms are found or the instance stays; messages name lines, never patients."""

from collections.abc import Callable
from pathlib import Path

import pytest

from karnak.gateway.pseudonyms import CsvPseudonyms, GeneratedPseudonym, PseudonymError, PseudonymSource, TagPseudonym
from karnak.runtime.keys import Project
from karnak.runtime.part10 import Instance, read_instance
from tests.gateway.instances import dataset_bytes

PROJECT = Project("TRIAL", bytes(range(16)))
Write = Callable[[str], Path]


def instance(**attributes: str) -> Instance:
    return read_instance(dataset_bytes(**attributes), "1.2.840.10008.1.2.1")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "ids.csv"
        path.write_bytes(text.encode("utf-8"))
        return path

    return written


def test_generated_is_the_projects_pseudonym_of_patient_and_issuer() -> None:
    source: PseudonymSource = GeneratedPseudonym()
    assert source.pseudonym(instance(PatientID="1"), PROJECT) == PROJECT.pseudonym("1", None)
    with_issuer = instance(PatientID="1", IssuerOfPatientID="HUG")
    assert source.pseudonym(with_issuer, PROJECT) == PROJECT.pseudonym("1", "HUG")
    assert GeneratedPseudonym("HUG").pseudonym(instance(PatientID="1"), PROJECT) == PROJECT.pseudonym("1", "HUG")


@pytest.mark.parametrize("source", [GeneratedPseudonym(), CsvPseudonyms("ids.csv", False, "", {})])
@pytest.mark.parametrize("patient", [{}, {"PatientID": ""}])
def test_no_patient_id_no_pseudonym(source: PseudonymSource, patient: dict[str, str]) -> None:
    with pytest.raises(PseudonymError, match=r"no PatientID \(0010,0020\)"):
        source.pseudonym(instance(**patient), PROJECT)


def test_a_table_without_issuers_finds_patients_by_id_alone(write: Write) -> None:
    table = CsvPseudonyms.read(write("\ufeffpseudonym,patient_id\nP-1, 100 \n\nP-2,200\n"))
    assert len(table) == 2
    assert table.pseudonym(instance(PatientID="100", IssuerOfPatientID="HUG"), PROJECT) == "P-1"
    assert table.pseudonym(instance(PatientID="200"), PROJECT) == "P-2"
    with pytest.raises(PseudonymError) as caught:
        table.pseudonym(instance(PatientID="300"), PROJECT)
    assert str(caught.value) == "ids.csv has no pseudonym for the patient of the instance"


def test_a_table_with_issuers_finds_patients_by_both(write: Write) -> None:
    path = write("patient_id;issuer;pseudonym\n1;A;P-1\n1;B;P-2\n1;;P-3\n")
    table = CsvPseudonyms.read(path, ";")
    assert table.pseudonym(instance(PatientID="1", IssuerOfPatientID="A"), PROJECT) == "P-1"
    assert table.pseudonym(instance(PatientID="1", IssuerOfPatientID="B"), PROJECT) == "P-2"
    assert table.pseudonym(instance(PatientID="1"), PROJECT) == "P-3"
    assert CsvPseudonyms.read(path, ";", "B").pseudonym(instance(PatientID="1"), PROJECT) == "P-2"
    with pytest.raises(PseudonymError):
        table.pseudonym(instance(PatientID="1", IssuerOfPatientID="C"), PROJECT)


def test_every_bad_line_is_named_and_no_value_is_repeated(write: Write) -> None:
    text = "patient_id,pseudonym\nSECRET1,SHARED\nSECRET1,OTHER\nSECRET2,SHARED\n,X\nSECRET3,\nSECRET4,A=B\nSECRET5\n"
    with pytest.raises(PseudonymError) as caught:
        CsvPseudonyms.read(write(text))
    assert str(caught.value) == (
        "ids.csv: line 3: the same patient as in line 2; line 4: the same pseudonym as in line 2; "
        "line 5: the patient_id is empty; line 6: the pseudonym is empty; "
        "line 7: the pseudonym has a character that a person name can't hold "
        "(backslash, equals sign or control character); line 8: 1 cells where the header has 2"
    )


def test_a_table_of_bad_lines_names_the_first_twenty(write: Write) -> None:
    with pytest.raises(PseudonymError, match="line 21: the patient_id is empty; and 5 more$"):
        CsvPseudonyms.read(write("patient_id,pseudonym\n" + ",X\n" * 25))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SECRET,P-1\n",
        "patient_id;pseudonym\nSECRET;P\n",
        "patient_id,pseudonym,SECRET\n",
        "patient_id,pseudonym,issuer,issuer\n",
    ],
)
def test_the_header_is_required_and_not_repeated(write: Write, text: str) -> None:
    with pytest.raises(PseudonymError, match="line 1: ") as caught:
        CsvPseudonyms.read(write(text))
    assert "SECRET" not in str(caught.value)


def test_files_that_are_no_tables_are_refused(tmp_path: Path, write: Write) -> None:
    with pytest.raises(PseudonymError, match=r"gone.csv can't be read: No such file"):
        CsvPseudonyms.read(tmp_path / "gone.csv")
    (tmp_path / "latin.csv").write_bytes(b"patient_id,pseudonym\n1,\xe9\n")
    with pytest.raises(PseudonymError, match=r"latin.csv is not UTF-8 text \(byte 23\)"):
        CsvPseudonyms.read(tmp_path / "latin.csv")
    with pytest.raises(PseudonymError, match="line 2: not a row of a table"):
        CsvPseudonyms.read(write('patient_id,pseudonym\n"1"SECRET,P\n'))
    with pytest.raises(PseudonymError, match="one character"):
        CsvPseudonyms.read(write("patient_id,pseudonym\n"), ";;")


def test_a_tag_gives_its_value_or_a_piece_of_it() -> None:
    trial = instance(ClinicalTrialSubjectID=" S-7 ", PatientComments="A|B-9|C")
    assert TagPseudonym(0x00120040).pseudonym(trial, PROJECT) == "S-7"
    assert TagPseudonym(0x00104000, "|", 1).pseudonym(trial, PROJECT) == "B-9"
    for source, message in [
        (TagPseudonym(0x00104000, "|", 3), r"the value of \(0010,4000\) has no piece 3"),
        (TagPseudonym(0x00100010), r"no pseudonym in \(0010,0010\)"),
        (TagPseudonym(0x00104000, "|B-9|C", 1), r"the pseudonym in \(0010,4000\) is empty"),
    ]:
        with pytest.raises(PseudonymError, match=message):
            source.pseudonym(trial, PROJECT)


def test_a_pseudonym_must_fit_its_element() -> None:
    with pytest.raises(PseudonymError, match="longer than 64 characters"):
        TagPseudonym(0x00104000).pseudonym(instance(PatientComments="x" * 65), PROJECT)
    with pytest.raises(PseudonymError, match="backslash"):
        TagPseudonym(0x00101000).pseudonym(instance(OtherPatientIDs="a\\b"), PROJECT)


@pytest.mark.parametrize(("delimiter", "position"), [("", 0), (None, 1), ("|", -1)])
def test_a_tag_source_that_makes_no_sense_is_refused(delimiter: str | None, position: int) -> None:
    with pytest.raises(PseudonymError):
        TagPseudonym(0x00104000, delimiter, position)
