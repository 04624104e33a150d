"""The peers that tests talk to are other people's, whatever is on the path before them."""

import sys
from pathlib import Path

import pytest

from tests.system.programs import run, search_path, tool

# pynetdicom brings programs with these names of dcmtk's; an environment that is first on the path puts them before.
_SHADOWED = ["echoscu", "findscu", "storescp", "storescu"]


@pytest.mark.parametrize("name", _SHADOWED)
def test_the_peers_are_dcmtk(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Path(sys.executable).parent
    assert (ours / name).exists(), "nothing shadows it any more; this test can go"
    monkeypatch.setenv("PATH", f"{ours}:{search_path()}")
    assert Path(tool(name)).parent != ours
    assert f"$dcmtk: {name} v" in run(name, "--version").stdout


def test_a_shell_of_a_reader_finds_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/one::/two")
    assert search_path() == "/one:/two"


def test_another_environment_that_is_active_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/one")
    assert search_path() == "/one"


def test_a_program_that_is_missing_fails() -> None:
    with pytest.raises(AssertionError, match="no-such-program is needed by this test"):
        tool("no-such-program")
