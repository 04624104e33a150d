"""Run benchmarks, print their tables, and keep them if asked: python -m benchmarks [NAME...] [--write]."""

import argparse
import importlib
import tempfile
from pathlib import Path

from benchmarks.setting import ROOT, Setting, machine, working_folder
from benchmarks.tables import put

NAMES = (
    "startup",
    "engines",
    "small",
    "scaling",
    "lowering",
    "folder",
    "receive",
    "send",
    "through",
    "index",
    "reload",
    "lines",
)
PAGE = ROOT / "docs" / "performance.md"


def main() -> None:
    """Run what the command line names, or all."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Karnak against floors and rivals.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all without a name")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="one round over very little; the numbers mean nothing")
    parser.add_argument("--rivals", type=Path, help="Python of the environment with other people's engines")
    parser.add_argument("--folder", type=Path, help="where files are put; without it, memory's file system")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(NAMES)}")
    for name in given.names or NAMES:
        place = given.folder or working_folder()
        with tempfile.TemporaryDirectory(prefix="karnak-benchmark-", dir=place) as folder:
            setting = Setting(Path(folder), quick=given.quick, rivals=given.rivals)
            tables = importlib.import_module(f"benchmarks.{name}").measure(setting)
        text = f"Measured {machine()}.\n\n" + "\n\n".join(map(str, tables))
        print(f"\n## {name}\n\n{text}", flush=True)
        if given.write:
            put(PAGE, name, text)


if __name__ == "__main__":
    main()
