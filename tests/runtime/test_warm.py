"""Warming up leaves nothing to be compiled for the instances that come."""

import subprocess
import sys

from karnak.runtime import assemble, derive, plan, scan
from karnak.runtime.deidentify import deidentify
from karnak.runtime.warm import warm_up
from karnak.testing.specimen import leaf, part10
from tests.runtime.making import NOW, PROJECT, D, K, U, X, program, rule, specimen

COMPILED = (
    scan._scan,
    scan.root_places,
    plan.make_plan,
    plan.edits_of,
    plan.put_made,
    derive.derive,
    assemble.measure,
    assemble.write,
)


def signatures() -> list[list[object]]:
    return [list(function.signatures) for function in COMPILED]


def test_warming_up_compiles_what_instances_need() -> None:
    warm_up()
    before = signatures()
    assert [len(found) > 0 for found in before] == [True] * len(COMPILED)
    warm_up()
    assert signatures() == before


def main() -> None:
    """Warm up, then de-identify instances of several kinds in several ways; print how much is compiled by then."""
    warm_up()
    data = part10(specimen(leaf(0x00091001, "x", "LO"), leaf(0x00080020, "20200101", "DA")))
    for chosen in (program(rule(K)), program(rule(X, "PatientName")), program(rule(U, "StudyInstanceUID"), rule(D))):
        for given in (data, bytearray(data), memoryview(data)):
            assert deidentify(given, chosen, PROJECT, mode="morph", now=NOW).data is not None  # type: ignore[arg-type]
            assert deidentify(given, chosen, PROJECT, pseudonym="P", now=NOW).data is not None  # type: ignore[arg-type]
    sys.stdout.write(" ".join(str(len(found)) for found in signatures()))


def test_no_kind_of_instance_needs_more() -> None:
    # In a process of its own: tests of compiled functions call them with other kinds of arrays.
    done = subprocess.run([sys.executable, "-m", __name__], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1"] * len(COMPILED)


if __name__ == "__main__":
    main()
