"""Grammars and profiles are found in a checkout and in an installed wheel."""

import subprocess
import sys
from pathlib import Path

import pytest

from karnak import resources

ROOT = Path(__file__).parent.parent
GRAMMARS = sorted(path.stem for path in (ROOT / "grammar").glob("*.lark"))
PROFILES = sorted(path.stem for path in (ROOT / "profiles").glob("*.yml"))


@pytest.mark.parametrize("name", GRAMMARS)
def test_grammar_is_read_from_the_checkout(name: str) -> None:
    assert resources.grammar(name) == (ROOT / "grammar" / f"{name}.lark").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROFILES)
def test_profile_is_found_in_the_checkout(name: str) -> None:
    assert resources.shipped_profile(name) == ROOT / "profiles" / f"{name}.yml"


@pytest.mark.parametrize("name", ["nothing", "../README", "", "/etc/passwd"])
def test_other_names_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(resources.MissingResource, match=r"ships no file .* there are: "):
        resources.shipped_profile(name)
    with pytest.raises(resources.MissingResource):
        resources.grammar(name)


def test_a_wheel_carries_everything(tmp_path: Path) -> None:
    wheels, installed = tmp_path / "wheels", tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = wheels.glob("karnak-*.whl")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
        + ["--target", str(installed), str(wheel)],
        check=True,
        capture_output=True,
    )
    # Without `site`, only the wheel is there: not the checkout, which is installed editable.
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import karnak, karnak.resources as r, pathlib\n"
        "assert pathlib.Path(karnak.__file__).is_relative_to(sys.argv[1]), karnak.__file__\n"
        "for name in sys.argv[2].split(): assert r.grammar(name)\n"
        "for name in sys.argv[3].split(): print(r.shipped_profile(name).relative_to(sys.argv[1]).as_posix())\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(installed), " ".join(GRAMMARS), " ".join(PROFILES)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [f"karnak/profiles/{name}.yml" for name in PROFILES]
    assert (installed / "karnak" / "py.typed").is_file()
    migrations = installed / "karnak" / "gateway" / "store" / "migrations"
    assert (migrations / "env.py").is_file()
    assert list((migrations / "versions").glob("v0001_*.py"))
    licences = installed.glob("karnak-*.dist-info/licenses/**/*")
    assert {"LICENSE", "NOTICE", "highdicom.txt"} <= {path.name for path in licences}
