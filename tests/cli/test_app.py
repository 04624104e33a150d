"""The command line itself: version, help, unknown commands, and how errors end."""

import subprocess
import sys

import click
import pytest

from karnak.cli import app
from karnak.errors import KarnakError
from karnak.version import VERSION


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "karnak", *arguments], capture_output=True, text=True)


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"karnak {VERSION}\n", "")


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name, (_, line) in app.COMMANDS.items():
        assert any(row.split() == [name, *line.split()] for row in done.stdout.splitlines())


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_can_be_loaded(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: karnak {name} ")


def test_help_and_version_import_no_command_and_no_dependency_but_click() -> None:
    program = (
        "import sys\n"
        "from karnak.cli.app import cli\n"
        "for option in ('--version', '--help'):\n"
        "    cli([option], standalone_mode=False)\n"
        "heavy = {'pydantic', 'pydicom', 'pynetdicom', 'lark', 'yaml', 'rich', 're2', 'numpy', 'asyncio'}\n"
        "print('loaded:', *sorted(m for m in sys.modules if m.split('.')[0] in heavy or m.startswith('karnak.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert loaded == ["loaded:", "karnak.cli", "karnak.cli.app", "karnak.errors", "karnak.version"]


def test_unknown_command_is_a_usage_error() -> None:
    done = run("dead")
    assert done.returncode == app.EXIT_USAGE
    assert "No such command 'dead'" in done.stderr


def test_an_error_for_people_is_one_line_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def fail() -> None:
        raise KarnakError("the secret file is missing")

    monkeypatch.setattr(app, "cli", fail)
    monkeypatch.setattr(sys, "argv", ["karnak"])
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == app.EXIT_USAGE
    assert capsys.readouterr().err == "karnak: the secret file is missing\n"
