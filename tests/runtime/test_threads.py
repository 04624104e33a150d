"""One program for many threads: they fill its tables together, and each gets what it would have got alone."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from karnak.runtime.deidentify import deidentify
from karnak.runtime.outcome import Outcome
from karnak.testing.specimen import leaf, part10
from tests.runtime.making import NOW, PROJECT, U, X, program, rule, specimen

THREADS = 8


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    # Threads take turns so often that they meet in the middle of everything.
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def instance(number: int) -> bytes:
    """Hundreds of kinds of elements and many private creators; no two instances have the same ones."""
    public = [leaf(0x00110000 | 0x1000 + i, f"1.2.{i}", "UI") for i in range(number, 1500, 3 + number)]
    creators = [leaf(0x00130010 + block, f"ACME {(number * 7 + block) % 40}", "LO") for block in range(20)]
    private = [leaf(0x00130000 | (0x10 + block) << 8 | i, "x", "LO") for block in range(20) for i in range(10)]
    return part10(specimen(*public, *creators, *private))


@pytest.mark.parametrize("attempt", range(4))
def test_threads_fill_one_table(attempt: int, hurried_threads: None) -> None:
    chosen = program(
        rule(U, *(f"0011,1{digit:X}XX" for digit in range(0, 16, 2))),
        rule(X, *(f'(0013,"ACME {i}",{i % 10:02X})' for i in range(attempt, 40, 2))),
        name=f"attempt {attempt}",
    )
    instances = [instance(number) for number in range(THREADS)]

    def run(data: bytes) -> Outcome:
        return deidentify(data, chosen, PROJECT, mode="morph", now=NOW)

    with ThreadPoolExecutor(THREADS) as threads:
        made = list(threads.map(run, instances * 2))
    judged = [deidentify(data, chosen, PROJECT, mode="morph", now=NOW, engine="reference") for data in instances * 2]
    assert [outcome.fallback for outcome in made] == [None] * len(made)
    assert [outcome.data for outcome in made] == [outcome.data for outcome in judged]
