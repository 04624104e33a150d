"""Every benchmark runs; what it measures on the little it is given here means nothing."""

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.lines import counted
from benchmarks.setting import ROOT, Setting, machine


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_gives_tables(name: str, tmp_path: Path) -> None:
    tables = import_module(f"benchmarks.{name}").measure(Setting(tmp_path, quick=True))
    assert tables
    for table in tables:
        assert str(table).startswith(f"{table.title}:\n")
        assert table.rows or name == "lines"


def test_every_script_is_a_benchmark_or_serves_one() -> None:
    serving = {"__main__", "corpus", "ours", "passes", "plain_scp", "pynetdicom_scp", "rivals", "setting", "tables"}
    assert {path.stem for path in (ROOT / "benchmarks").glob("*.py")} == serving | set(NAMES)


def test_the_machine_is_told_in_a_line() -> None:
    assert "cores" in machine()
    assert "\n" not in machine()


def test_samples_count_for_the_innermost_line_of_ours_while_it_works() -> None:
    engine = "over_and_over (benchmarks/lines.py:60);deidentify (karnak/runtime/deidentify.py:80)"
    samples = (
        f"main (x.py:1);{engine};make (karnak/runtime/making.py:7);digest (hmac.py:3) 5\n"
        f"main (x.py:1);{engine};make (karnak/runtime/making.py:7) 2\n"
        f"main (x.py:1);{engine} 1\n"
        "main (x.py:1);compile (karnak/dsl/compile.py:3) 100\n"
    )
    assert counted(samples) == {"karnak/runtime/making.py:7": 7, "karnak/runtime/deidentify.py:80": 1}
