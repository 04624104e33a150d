"""De-identification makes no instance worse: dciodvfy finds no error in an output that it did not find in the input."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from karnak.dsl.compile import compile_profile
from karnak.dsl.source import Source
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from tests.golden.cases import cases, inputs

BASIC = Source("basic.yml", "name: Basic\nprofileElements:\n  - { name: basic, codename: basic.dicom.profile }\n")
PROJECT = Project("TRIAL-1", bytes.fromhex("0123456789abcdef0123456789abcdef"))
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

# The tool stops with an assertion of its own, or says that it can't read on in what it was given.
UNREADABLE = ("Dicom dataset read failed", "Tags out of order")
QUOTED = re.compile(r'"[^"]*"|(?:= |value |UID )<[^>]*>|values are \S+|\d+ (?:items|frames)|0x[0-9a-f]+\b(?!,0x|\))')


def validate(path: Path) -> frozenset[str] | None:
    """Collect the errors of one file, without the values that they quote; None where dciodvfy can't read it."""
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False)
    lines = run.stderr.decode("latin-1").splitlines()
    if run.returncode not in {0, 1} or any(words in line for words in UNREADABLE for line in lines):
        return None
    return frozenset(QUOTED.sub("_", line) for line in lines if line.startswith("Error"))


def test_outputs_have_no_error_that_inputs_did_not_have(tmp_path: Path) -> None:
    program = compile_profile(BASIC)
    pairs: dict[str, tuple[Path, Path]] = {}
    # A dataset alone comes with its transfer syntax, as a sender would say it.
    syntaxes = {case.input: case.output.get("transferSyntax") for case in cases()}
    for name, data in inputs().items():
        syntax = None if data[128:132] == b"DICM" else syntaxes[name]
        outcome = deidentify(data, program, PROJECT, pseudonym="P-001", now=NOW, transfer_syntax_uid=syntax)
        if outcome.data is not None:
            before, after = tmp_path / f"{name}.before", tmp_path / f"{name}.after"
            before.write_bytes(data)
            after.write_bytes(outcome.data)
            pairs[name] = before, after
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(validate, [path for pair in pairs.values() for path in pair]))
    judged = 0
    worse = []
    for name, known, errors in zip(pairs, found[::2], found[1::2], strict=True):
        if known is None:
            continue
        judged += 1
        if errors is None:
            worse.append(f"{name}: dciodvfy can't read the output")
        else:
            worse += [f"{name}: {error}" for error in sorted(errors - known)]
    assert not worse, "\n".join(worse)
    # The others have no PatientID, or dciodvfy can't read them.
    assert judged >= 144
