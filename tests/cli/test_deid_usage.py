"""What `karnak deid` refuses before it touches anything: exit code 2, and a sentence that says what to do."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from karnak.cli.app import main
from tests.cli.deid_runs import INSTANCES, PROFILE, SECRET, files, karnak

CT = str(INSTANCES / "ct_small.dcm")
NEEDED = (CT, "-o", "out", "-p", "p.yml", "--project", "T")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yml").write_text(PROFILE)
    (tmp_path / "bad.csv").write_text("1CT1;P-1\n")
    (tmp_path / "bad.hex").write_text("0123-not-a-secret")
    (tmp_path / "bad.hex").chmod(0o600)
    return tmp_path


# What a run ended with: exit code, standard output, standard error with its white space evened out.
Ended = tuple[object, str, str]


@pytest.fixture
def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs the command in this process, which is faster, with a secret in the environment or without."""

    def run(*arguments: str, secret: str | None = SECRET) -> Ended:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["karnak", "deid", *arguments])
        monkeypatch.delenv("KARNAK_SECRET", raising=False)
        if secret is not None:
            monkeypatch.setenv("KARNAK_SECRET", secret)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return ended.value.code, said.out, " ".join(said.err.split())

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Missing argument 'INPUT...'"),
        (("nowhere", *NEEDED), "'nowhere' does not exist"),
        ((CT, "-p", "p.yml", "--project", "T", "--pseudonym", "P"), "Give --output, or --dry-run"),
        ((CT, "-o", "out", "--project", "T", "--pseudonym", "P"), "Missing option '-p' / '--profile'"),
        ((CT, "-o", "out", "-p", "p.yml", "--pseudonym", "P"), "Missing option '--project'"),
        (NEEDED, "Give exactly one of --pseudonym, --pseudonym-csv, --pseudonym-tag, --pseudonym-generated"),
        ((*NEEDED, "--pseudonym", "P", "--pseudonym-generated"), "not --pseudonym and --pseudonym-generated"),
        ((*NEEDED, "--pseudonym", " "), "the pseudonym is empty"),
        ((*NEEDED, "--pseudonym", "P" * 65), "the pseudonym is longer than 64 characters"),
        ((*NEEDED, "--pseudonym", "P", "--mode", "morph"), "has no meaning with --mode morph"),
        ((*NEEDED, "--pseudonym", "P", "--delimiter", ";"), "--delimiter belongs to"),
        ((*NEEDED, "--pseudonym", "P", "--position", "1"), "--position belongs to"),
        ((*NEEDED, "--pseudonym-tag", "StationName", "--position", "1"), "a position needs a delimiter"),
        ((*NEEDED, "--pseudonym-tag", "StationNam"), "StationName"),
        ((*NEEDED, "--pseudonym-tag", "0008,10XX"), "one exact tag is needed here"),
        ((*NEEDED, "--pseudonym-csv", "bad.csv"), "bad.csv, line 1: "),
        ((*NEEDED, "--pseudonym", "P", "--secret", SECRET), "--secret and KARNAK_SECRET"),
        ((*NEEDED, "--pseudonym", "P", "--at", "yesterday"), "'yesterday' is no ISO 8601 timestamp"),
        ((*NEEDED, "--pseudonym", "P", "--edition", "1999"), "'1999' is not one of"),
        ((*NEEDED, "--pseudonym", "P", "--jobs", "0"), "0 is not in the range"),
        ((*NEEDED, "--pseudonym", "P", "--report", "no/r.jsonl"), "There is no folder no for the report"),
        ((*NEEDED, "--pseudonym", "P", "--report-sources"), "--report-sources needs --report"),
        ((str(INSTANCES), *NEEDED[1:], "--pseudonym", "P", "-o", "x.dcm"), "names one file"),
        ((*NEEDED, "--pseudonym", "P", "-o", "p.yml"), "exists and is no folder"),
        ((*NEEDED, "--pseudonym", "P", "-o", "p.yml/out"), "karnak: Not a directory: p.yml/out"),
        ((*NEEDED, "--pseudonym", "P", "-o", str(INSTANCES)), "lies in the output folder"),
        ((*NEEDED, "--pseudonym", "P", "-o", CT), "doesn't overwrite sources"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_done(
    folder: Path, refused: Callable[..., Ended], arguments: tuple[str, ...], message: str
) -> None:
    before = files(folder)
    code, out, err = refused(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert files(folder) == before


@pytest.mark.parametrize(
    ("options", "variable", "message"),
    [
        ((), None, "The project needs its secret: give --secret-file, KARNAK_SECRET or --secret."),
        ((), "0123-not-a-secret", "a secret is 32 hexadecimal digits; this one is not"),
        ((), "", "a secret is 32 hexadecimal digits; this one is not"),
        (("--secret", "0123-not-a-secret"), None, "a secret is 32 hexadecimal digits; this one is not"),
        (("--secret-file", "bad.hex"), None, "the secret file bad.hex does not hold 32 hexadecimal digits"),
        (("--secret-file", "bad.hex"), SECRET, "The secret is given more than once: --secret-file and KARNAK_SECRET"),
    ],
)
def test_a_wrong_secret_is_told_and_not_repeated(
    refused: Callable[..., Ended], options: tuple[str, ...], variable: str | None, message: str
) -> None:
    code, out, err = refused(*NEEDED, "--pseudonym", "P", *options, secret=variable)
    assert (code, out) == (2, "")
    assert message in err
    assert "0123" not in err


def test_a_refusal_ends_the_process_with_exit_code_2(folder: Path) -> None:
    done = karnak(*NEEDED, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Give exactly one of --pseudonym" in done.stderr


def test_a_profile_with_mistakes_is_shown_with_their_places(folder: Path) -> None:
    (folder / "p.yml").write_text(PROFILE.replace('"0008,0070"', '"PatientNam"').replace('"K"', '"Q"'))
    done = karnak(*NEEDED, "--pseudonym", "P", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "p.yml:6:14: K403 " in done.stderr
    assert "p.yml:7:13: K203 " in done.stderr
    assert "PatientName" in done.stderr
    assert not (folder / "out").exists()


def test_the_help_says_what_there_is() -> None:
    done = karnak("--help")
    assert done.returncode == 0
    for option in ("--output", "--secret-file", "--pseudonym-generated", "--dry-run", "--report", "--jobs", "--at"):
        assert option in done.stdout
