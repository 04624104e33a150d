"""`karnak lint` as people and programs use it: through the real command line."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

CLEAN = 'name: x\nversion: "1"\nprofileElements:\n  - {name: a, codename: basic.dicom.profile}\n'

TEN_MISTAKES = """\
name: "Ten mistakes"
version: "1"
minimumKarnakVersion: "nine"
profileElements:
  - name: "keep"
    codename: "action.on.specific.tags"
    actoin: "K"
    tags: ["Manufacturer", "ManufacturerModelNam", "(0008,10G0)"]
  - name: "dates"
    codename: "action.on.dates"
    option: "format_date"
    arguments: { remove: "day" }
  - name: "shift"
    codename: "action.on.dates"
    option: "shift"
    arguments: { days: "ten", seconds: 0 }
  - name: "names"
    codename: "expression.on.tags"
    condition: "tagIsPresent(#Tag.PatientName"
    arguments: { expr: "Replace(stringValue.trim())" }
    tags: ["PatientComments"]
  - name: "add"
    codename: "action.add.tag"
    arguments: { value: "20230229" }
    tags: ["StudyDate"]
  - name: "rest"
    codename: "basic.dicom.profil"
"""
PLACES = {
    ("K107", 3, 24),
    ("K101", 7, 5),
    ("K203", 8, 29),
    ("K202", 8, 61),
    ("K404", 11, 14),
    ("K405", 16, 25),
    ("K302", 19, 29),
    ("K312", 20, 33),
    ("K413", 24, 26),
    ("K104", 27, 16),
}


def run(*arguments: str, given: bytes = b"", folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "karnak", "lint", *arguments],
        input=given,
        capture_output=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clean.yml").write_text(CLEAN)
    (tmp_path / "ten.yml").write_text(TEN_MISTAKES)
    return tmp_path


def test_nothing_wrong(folder: Path) -> None:
    done = run("clean.yml", folder=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"nothing wrong in 1 file\n", b"")


def test_ten_mistakes_are_ten_findings_in_their_places(folder: Path) -> None:
    done = run("ten.yml", "--format", "json", folder=folder)
    assert (done.returncode, done.stderr) == (1, b"")
    found = json.loads(done.stdout)["diagnostics"]
    assert len(found) == 10
    assert {(one["code"], one["place"]["line"], one["place"]["column"]) for one in found} == PLACES
    lines = TEN_MISTAKES.splitlines()
    words = [lines[p["line"] - 1][p["column"] - 1 : p["end_column"] - 1] for p in (one["place"] for one in found)]
    assert words == [
        "nine",
        "actoin",
        "ManufacturerModelNam",
        "G",
        "format_date",
        "ten",
        "(",
        "stringValue",
        "20230229",
        "basic.dicom.profil",
    ]


def test_ten_mistakes_for_people(folder: Path) -> None:
    done = run("ten.yml", "clean.yml", folder=folder)
    assert done.returncode == 1
    text = done.stdout.decode()
    heads = [line for line in text.splitlines() if line.startswith("ten.yml:")]
    assert [tuple(head.split()[:2]) for head in heads] == [
        (f"ten.yml:{line}:{column}:", code) for code, line, column in sorted(PLACES, key=lambda place: place[1:])
    ]
    assert "    |             ^" not in text
    assert text.endswith("\n\n10 errors in 2 files\n")
    assert (
        'ten.yml:7:5: K101 unknown key actoin\n  |\n7 |     actoin: "K"\n  |     ^^^^^^ did you mean action?\n\n'
    ) in text


def test_remarks_are_no_failure(folder: Path) -> None:
    (folder / "bare.yml").write_text("profileElements: [{name: a, codename: basic.dicom.profile}]\n")
    done = run("bare.yml", folder=folder)
    assert done.returncode == 0
    assert done.stdout.decode().endswith("\n2 remarks in 1 file\n")


def test_warnings_are(folder: Path) -> None:
    (folder / "warned.yml").write_text(CLEAN.replace("}", ", action: K}"))
    done = run("warned.yml", folder=folder)
    assert done.returncode == 1
    assert done.stdout.decode().endswith("\n1 warning in 1 file\n")


def test_standard_input() -> None:
    assert run("-", given=CLEAN.encode()).returncode == 0
    done = run("-", given=b"name: 'x\n")
    assert done.returncode == 1
    assert done.stdout.startswith(b"stdin:1:7: K009 ")


def test_files_that_cannot_be_read(folder: Path) -> None:
    done = run("nothing.yml", "clean.yml", folder=folder)
    assert done.returncode == 2
    assert done.stdout.startswith(b"nothing.yml:1:1: K001 the file can't be read: no such file or directory\n")
    assert run(str(folder)).returncode == 2


def test_codes_are_explained() -> None:
    done = run("--explain", "k203")
    assert done.returncode == 0
    assert done.stdout.decode().startswith("K203 unknown-tag-keyword (error)\n\n")
    page = run("--explain", "K110").stdout.decode()
    assert "Why it matters: " in page
    assert "\nInstead: " in page


@pytest.mark.parametrize(
    "arguments", [[], ["--format", "xml", "clean.yml"], ["--nonsense"], ["--explain", "K999", "clean.yml"]]
)
def test_usage(arguments: list[str], folder: Path) -> None:
    done = run(*arguments, folder=folder)
    assert done.returncode == 2
    assert done.stderr.startswith(b"Usage: ")


def on_terminal(*arguments: str, folder: Path, environment: dict[str, str]) -> str:
    """Run with a terminal as its output, and give what it shows."""
    control, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "karnak", "lint", *arguments],
        stdout=terminal,
        stderr=terminal,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
        | environment,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(control, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(control)
    process.wait()
    return shown.decode()


def test_colour_on_a_terminal_only(folder: Path) -> None:
    assert "\x1b[" in on_terminal("ten.yml", folder=folder, environment={})
    assert "\x1b[" not in on_terminal("ten.yml", folder=folder, environment={"NO_COLOR": "1"})
    assert b"\x1b[" not in run("ten.yml", folder=folder).stdout


def test_a_profile_cannot_speak_to_the_terminal(folder: Path) -> None:
    (folder / "evil.yml").write_text(
        'name: "\\e]0;owned\\a"\n"\\e[2Jkey": 1\nprofileElements: [{name: a, codename: "\\e[31m"}]\n'
    )
    done = run("evil.yml", folder=folder)
    assert done.returncode == 1
    assert b"\x1b" not in done.stdout
    assert b"\x07" not in done.stdout


def test_it_loads_little(folder: Path) -> None:
    program = (
        "import sys\n"
        "from karnak.cli.app import cli\n"
        "cli(['lint', 'ten.yml'], standalone_mode=False)\n"
        "heavy = {'numba', 'numpy', 'pynetdicom', 'pydicom', 'starlette', 'sqlalchemy', 'rich', 'asyncio', 'ssl'}\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "rooms = {name for name in sys.modules if name.startswith(('karnak.runtime', 'karnak.gateway'))}\n"
        "print('loaded:', *sorted(heavy & loaded | rooms))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.splitlines()[-1] == "loaded:"
