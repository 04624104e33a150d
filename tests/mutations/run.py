"""Break the executor one line at a time in a copy of the tree: python -m tests.mutations.run [WORD]...

Each time a quick part of the suite has to fail. Nothing is compiled, so that no line of a compiled function can be
left over from before. Words choose the mutations whose file or effect has one of them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutations.lines import MUTATIONS, Mutation

TREE = Path(__file__).parents[2]
COPIED = ("karnak", "tests", "grammar", "profiles", "pyproject.toml")
# In this order: what is held to values fails sooner than what is drawn.
QUICK = (
    "tests/runtime/test_scan_rows.py", "tests/runtime/test_plan.py", "tests/runtime/test_assemble.py",
    "tests/runtime/test_sha256.py", "tests/runtime/test_date_bytes.py", "tests/runtime/test_derive.py",
    "tests/runtime/test_table.py", "tests/runtime/test_lower.py", "tests/runtime/test_specialise.py",
    "tests/runtime/test_conditions.py", "tests/runtime/test_stamp.py", "tests/runtime/test_two_executors.py",
    "tests/runtime/test_private_blocks.py", "tests/runtime/test_rules.py", "tests/property/test_two_executors.py",
)  # fmt: skip
# A mutation may make a loop endless; that is noticed, too.
SECONDS = 900


def noticed(tree: Path) -> str:
    """The first test that fails in a tree, "" where none does."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    # Hashes are multiplied past 64 bits on purpose; as Python that warns.
    command += ["-W", "ignore::RuntimeWarning", *QUICK]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"no end in {SECONDS} seconds"
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0] if failed else f"pytest ended with {done.returncode}:\n{done.stdout[-2000:]}"


def broken(source: str, mutation: Mutation) -> str:
    """The source of a file with its line broken."""
    lines = source.splitlines()
    places = [place for place, line in enumerate(lines) if line.strip() == mutation.line]
    if len(places) != 1:
        raise ValueError(f"{mutation.file} has {len(places)} times: {mutation.line}")
    line = lines[places[0]]
    lines[places[0]] = line[: len(line) - len(line.lstrip())] + mutation.broken
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """Print what noticed each mutation; 1 where something was not noticed."""
    chosen = [m for m in MUTATIONS if not words or any(word in f"{m.file} {m.breaks}" for word in words)]
    missed = 0
    with TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in COPIED:
            source = TREE / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, tree / name)
        sound = noticed(tree)
        if sound:
            sys.stdout.write(f"the tree is broken before anything is: {sound}\n")
            return 1
        for mutation in chosen:
            file = tree / "karnak" / mutation.file
            before = file.read_text()
            file.write_text(broken(before, mutation))
            by = noticed(tree)
            file.write_text(before)
            missed += not by
            sys.stdout.write(f"{mutation.file}: {mutation.breaks}\n    {by or 'NOT NOTICED'}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - missed} of {len(chosen)} noticed\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
