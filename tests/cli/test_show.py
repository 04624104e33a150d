"""`karnak show` as people and programs use it: through the real command line."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
BASIC = ROOT / "profiles" / "basic.yml"
PROFILE = """\
name: "Study"
version: "3"
profileElements:
  - name: "Sex where it matters"
    codename: "action.on.specific.tags"
    condition: "tagIsPresent(#Tag.PatientWeight)
      and count(#Tag.Rows) == 1"
    action: "K"
    tags: ["PatientSex"]
  - name: "Descriptions"
    codename: "expression.on.tags"
    arguments: { expr: "stringValue == 'Thorax' ? Keep() : null" }
    tags: ["SeriesDescription", '(0029,"ACME",XX)', "(0008,10XX)"]
  - {name: "Dates", codename: "action.on.dates", option: "shift", arguments: {days: 3, seconds: 0}}
  - {name: "Comment", codename: "action.add.tag", tags: ["PatientComments"], arguments: {value: "x"}}
  - {name: "PS3.15", codename: "basic.dicom.profile"}
"""


REPORTS = "called SR; there are Basic Text SR Storage, Enhanced SR Storage, Comprehensive SR Storage and more"


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "karnak", "show", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "study.yml"
    path.write_text(PROFILE, encoding="utf-8")
    return path


def shown(*arguments: str | Path) -> dict[str, list[list[str]]]:
    """The lines of the table, by tag: the cells after the tag."""
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, list[list[str]]] = {}
    tag = ""
    for line in done.stdout.split("\nTag ", 1)[1].splitlines()[1:]:
        tag = re.split("  +", line)[0] or tag
        cells = re.split("  +", line)[1:]
        found.setdefault(tag, []).append(cells)
    return found


def test_a_pipe_gets_aligned_text(profile: Path) -> None:
    done = run(profile, "--sop-class", "CT")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.fullmatch("Study 3, PS3.15 2026c, digest [0-9a-f]{16}", lines[0])
    assert lines[1:6] == [
        "CT Image Storage 1.2.840.10008.5.1.4.1.1.2",
        "",
        "Conditions (--guards chooses which hold)",
        "   1  does not hold  line 6: tagIsPresent(#Tag.PatientWeight) and count(#Tag.Rows) == 1",
        "",
    ]
    head = lines[6]
    assert head.split() == ["Tag", "Type", "Name", "Decision", "Rule", "Line"]
    starts = [head.index(word) for word in head.split()]
    for line in lines[7:]:
        assert len(line) < 160
        if not line.startswith("("):
            assert line[: starts[3]].isspace()
    assert (
        f"{'(0010,0040)':{starts[1]}}2     {'Patient' + chr(39) + 's Sex':{starts[3] - starts[2]}}empty" in done.stdout
    )


def test_the_table_says_tag_type_name_decision_rule_and_line(profile: Path) -> None:
    rows = shown(profile, "--sop-class", "CTImageStorage")
    assert rows["(0010,0040)"] == [["2", "Patient's Sex", "empty", "PS3.15", "16"]]
    assert rows["(0010,0010)"] == [["2", "Patient's Name", "set", "(always)"]]
    assert rows["(0028,0010)"] == [["1", "Rows", "keep"]]
    assert rows["(0008,0020)"] == [["2", "Study Date", "shift", "Dates", "14"]]
    assert rows["(0008,103E)"] == [
        ["3", "Series Description", "expression", "Descriptions", "10"],
        ["otherwise remove", "PS3.15", "16"],
    ]
    assert rows["(0010,4000)"] == [
        ["3", "Patient Comments", "remove", "PS3.15", "16"],
        ["add if absent", "Comment", "15"],
    ]
    no_text = "OB, OD, OF, OL, OV, OW, UN"
    assert rows['(0029,"ACME",XX)'] == [
        ["private, of ACME", "expression", "Descriptions", "10"],
        ["otherwise remove", "PS3.15", "16"],
        ["private, of ACME (AS, DA, DT, TM)", "expression", "Descriptions", "10"],
        ["otherwise shift", "Dates", "14"],
        [f"private, of ACME ({no_text})", "remove", "PS3.15", "16"],
    ]
    assert rows["(0008,10XX)"][0][:2] == ["every other of these", "expression"]
    assert rows["(50XX,XXXX)"][0] == ["Curve Data", "remove", "PS3.15", "16"]
    assert rows["(XXXX,XXXX)"] == [
        ["every other attribute", "keep"],
        ["every other attribute (AS, DA, DT, TM)", "shift", "Dates", "14"],
        ["every other private element", "remove", "PS3.15", "16"],
        ["every other private element (AS, DA, DT, TM)", "shift", "Dates", "14"],
    ]


def test_conditions_that_hold_are_chosen(profile: Path) -> None:
    kept = [["2", "Patient's Sex", "keep", "Sex where it matters", "4"]]
    for chosen in ("1", "all", " 1 , 1"):
        assert shown(profile, "--sop-class", "CT", "--guards", chosen)["(0010,0040)"] == kept
    assert shown(profile, "--sop-class", "CT", "--guards", "none")["(0010,0040)"] != kept
    assert "   1  holds          line 6: " in run(profile, "--sop-class", "CT", "--guards", "1").stdout


def test_modes_editions_and_nesting() -> None:
    older = shown(BASIC, "--sop-class", "CT", "--mode", "morph", "--edition", "2024e")
    newer = shown(BASIC, "--sop-class", "CT", "--mode", "morph")
    assert older != newer
    assert newer["(0010,0010)"][0][2] == "empty"
    nested = shown(BASIC, "--sop-class", "CT", "--nested")
    assert not any("/" in tag for tag in newer)
    assert nested["(0008,1032)/(0008,0100)"][0][:3] == ["1C", "Code Value", "keep"]


def test_an_unknown_iod_is_said_to_be_unknown() -> None:
    done = run(BASIC, "--sop-class", "1.2.3.4")
    assert done.stdout.splitlines()[1:3] == [
        "SOP Class 1.2.3.4",
        "Its IOD is not known: what depends on the Type of an attribute is settled as strictly as possible.",
    ]


def test_json_is_for_programs(profile: Path) -> None:
    done = run(profile, "--sop-class", "CT", "--format", "json", "--guards", "1")
    assert (done.returncode, done.stderr) == (0, "")
    answer: Any = json.loads(done.stdout)
    assert set(answer) == {"version", "profile", "edition", "mode", "sop_class", "conditions", "rows"}
    assert (answer["version"], answer["edition"], answer["mode"]) == (1, "2026c", "deid")
    assert answer["profile"]["name"] == "Study"
    assert len(answer["profile"]["digest"]) == 64
    assert answer["sop_class"] == {"uid": "1.2.840.10008.5.1.4.1.1.2", "name": "CT Image Storage"}
    text = "tagIsPresent(#Tag.PatientWeight) and count(#Tag.Rows) == 1"
    assert answer["conditions"] == [{"number": 1, "holds": True, "line": 6, "text": text}]
    (description,) = [row for row in answer["rows"] if row["tag"] == "(0008,103E)"]
    expression = "stringValue == 'Thorax' ? Keep() : null"
    assert description == {
        "tag": "(0008,103E)",
        "name": "Series Description",
        "vr": ["LO"],
        "type": "3",
        "answers": [
            {"decision": "expression", "case": None, "note": None, "rule": "Descriptions", "line": 10,
             "expression": expression},
            {"decision": "remove", "case": "otherwise", "note": None, "rule": "PS3.15", "line": 16, "expression": None},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing option '--sop-class'"),
        (("--sop-class", "CTImageStrage"), "is called CTImageStrage; did you mean CT Image Storage?"),
        (("--sop-class", "CTT"), "no SOP Class for storage is called CTT; did you mean CT?"),
        (("--sop-class", "SR"), REPORTS),
        (("--sop-class", "zzzzzzzz"), "no SOP Class for storage is called zzzzzzzz\n"),
        (("--sop-class", "CT", "--guards", "2"), "there is no condition 2; the profile has one condition"),
        (("--sop-class", "CT", "--guards", "0"), "there is no condition 0; the profile has one condition"),
        (("--sop-class", "CT", "--guards", "1,x"), "'1,x' is no list of numbers such as 1,3"),
        (("--sop-class", "CT", "--edition", "1999"), "'1999' is not one of"),
    ],
)  # fmt: skip
def test_usage_errors(profile: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(profile, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_profile_with_errors_is_shown_with_them(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("profileElements:\n  - {name: a, codename: basic.dicom.profil}\n")
    done = run("p.yml", "--sop-class", "CT", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("p.yml:2:")
    assert "basic.dicom.profile" in done.stderr


def test_a_terminal_gets_a_table(profile: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-m", "karnak", "show", str(profile), "--sop-class", "CT"]
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=environment)
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
    assert "Patient's Name" in text
    assert "Conditions (--guards chooses which hold)" in text


MANUAL = (ROOT / "docs" / "show.md").read_text(encoding="utf-8")


def test_the_example_of_the_manual_is_what_is_shown(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
    (tmp_path / "study.yml").write_text(text, encoding="utf-8")
    ((command, listing),) = re.findall(r"```\n\$ karnak show (.*?)\n(.*?)```", MANUAL, re.DOTALL)
    done = run(*command.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    # Columns are narrower in the manual.
    pieces = [re.escape(re.sub(" {2,}", "  ", piece)) for piece in listing.split("…")]
    assert re.fullmatch(r"(?s:.*?)".join(pieces), re.sub(" {2,}", "  ", done.stdout))


def test_the_manual_explains_every_decision() -> None:
    from karnak.runtime.decision import Verb

    explained = set(re.findall(r"`(\w+)[^`]*`", "\n".join(re.findall(r"^\| (`.*?) \|", MANUAL, re.MULTILINE))))
    assert explained == {str(verb) for verb in Verb} | {"set", "expression", "reject"}
