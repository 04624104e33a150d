"""Values that compiled code derives: what the project would give, whatever is remembered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.ir.profile import DATE_VRS, DatePart, Effect, Shift, ShiftByTag, ShiftRange, TruncateDate
from karnak.runtime import derive
from karnak.runtime.keys import Project
from karnak.runtime.memory import Memory, memory_of
from karnak.runtime.outcome import Status
from karnak.runtime.sha256 import WORK_WORDS
from karnak.standard.uids import is_registered
from karnak.testing.specimen import leaf
from tests.runtime.making import PROJECT, D, U, rule, run, specimen

GUARD = 0xEE
uids = st.text("0123456789.", min_size=1, max_size=derive.MOST_UID_BYTES)


def derived(memory: Memory, uid: str) -> bytes:
    data = np.frombuffer(bytes([GUARD]) + uid.encode("ascii") + bytes([GUARD]), np.uint8)
    out = np.full(derive.MOST_UID_BYTES + 2, GUARD, np.uint8)
    work = np.empty(WORK_WORDS, np.uint32)
    after = derive.new_uid(data, 1, 1 + len(uid), memory.states, memory.known, out, 1, work)
    assert (out[0], out[-1]) == (GUARD, GUARD)
    return out[1:after].tobytes()


def expected(project: Project, uid: str) -> bytes:
    text = uid if is_registered(uid) else project.uid(uid)
    return text.encode("ascii") + b"\0" * (len(text) % 2)


@given(st.binary(min_size=16, max_size=16), st.lists(uids, min_size=1, max_size=20))
def test_a_uid_is_the_one_of_its_project_also_when_it_is_remembered(secret: bytes, wanted: list[str]) -> None:
    project = Project("T", secret)
    memory = Memory(project)
    for uid in [*wanted, *wanted]:
        assert derived(memory, uid) == expected(project, uid)


def test_more_uids_than_are_remembered_change_nothing() -> None:
    memory = Memory(PROJECT)
    wanted = [f"1.2.{number}.{number * number}" for number in range(3 * derive.KNOWN_UIDS)]
    for uid in [*wanted, *reversed(wanted)]:
        assert derived(memory, uid) == expected(PROJECT, uid)
    assert memory.known.shape == (derive.KNOWN_UIDS, derive.UID_COLUMNS)
    assert np.count_nonzero(memory.known[:, 0]) > derive.KNOWN_UIDS * 9 // 10


@given(st.lists(uids, min_size=2, max_size=8))
def test_uids_that_share_one_place_are_kept_apart(wanted: list[str]) -> None:
    memory = Memory(PROJECT)
    memory.known = memory.known[:1].copy()
    # Each also cut short: one begins like the other.
    for uid in [part for whole in wanted for part in (whole, whole[:-1] or "1", whole)]:
        assert derived(memory, uid) == expected(PROJECT, uid)


@pytest.mark.parametrize(
    "uid", ["1.2.840.10008", "1.2.840.10008.1.2", "1.2.840.100081", "1.2.840.1000", "1.2.840.10008.", "1", "." * 64]
)
def test_registered_uids_stay_and_their_likes_do_not(uid: str) -> None:
    assert derived(Memory(PROJECT), uid) == expected(PROJECT, uid)


@pytest.mark.parametrize("words", [(0, 0, 0, 0), (0, 0, 0, 9), (1, 0, 0, 0), (0xFFFFFFFF,) * 4, (0, 0xFFFF0FFF, 1, 0)])
def test_decimal_digits_of_every_length(words: tuple[int, ...]) -> None:
    work = np.zeros(WORK_WORDS, np.uint32)
    work[-8:-4] = words
    out = np.full(derive.MOST_UID_BYTES, GUARD, np.uint8)
    after = derive._put_new_uid(work, out, 1)
    octets = bytearray(b"".join(word.to_bytes(4) for word in words))
    octets[6] = octets[6] & 0x0F | 0x40
    octets[8] = octets[8] & 0x3F | 0x80
    assert out[1:after].tobytes() == f"2.25.{int.from_bytes(octets)}".encode()


def test_one_project_is_remembered_once_and_another_apart() -> None:
    first, other = Project("T", b"x" * 16), Project("T", b"y" * 16)
    assert memory_of(first) is memory_of(Project("T", b"x" * 16))
    assert memory_of(first) is not memory_of(other)
    assert derived(memory_of(first), "1.2") != derived(memory_of(other), "1.2")


_SUITED: dict[Effect, frozenset[str]] = {U: frozenset({"UI"}), D: DATE_VRS | {"UI", "US", "FD"}}
VALUES = [
    leaf(0x00080020, "20240229", "DA"),
    leaf(0x00080021, "2024.02.29", "DA"),
    leaf(0x00080022, "20240229\\20240301", "DA"),
    leaf(0x00080023, "", "DA"),
    leaf(0x00080024, "no date ", "DA"),
    leaf(0x0008002A, "20240229101112.25+0100", "DT"),
    leaf(0x00080030, "101112", "TM"),
    leaf(0x00080031, " 10 ", "TM"),
    leaf(0x00080032, "10:11:12", "TM"),
    leaf(0x00080058, "1.2.3\\1.2.4", "UI"),
    leaf(0x00081155, "", "UI"),
    leaf(0x0020000D, " 1.2.3", "UI"),
    leaf(0x0020000E, "1.2.840.10008.1.2.1", "UI"),
    leaf(0x00101010, "047Y", "AS"),
    leaf(0x00180000 | 0x9073, b"\0" * 16, "FD"),
    leaf(0x00280010, b"\1\2\3\4", "US"),
    leaf(0x00280034, b"", "US"),
]


@pytest.mark.parametrize(
    "effect",
    [
        U,
        D,
        Shift(31, 3599),
        Shift(-(10**8), 0),
        Shift(0, 10**11),
        ShiftRange(1, 365, 1, 86400),
        ShiftByTag(0x00200013, None),
        TruncateDate(DatePart.DAY),
        TruncateDate(DatePart.MONTH_DAY),
    ],
)
def test_common_forms_and_others_in_one_instance(effect: Effect) -> None:
    chosen = [value for value in VALUES if value.vr in _SUITED.get(effect, DATE_VRS)]
    judged = run(specimen(*chosen, leaf(0x00200013, "40", "IS")), rule(effect, *(f"{v.tag:08X}" for v in chosen)))
    assert judged.status is Status.FORWARDED, judged.reason


def test_numbers_larger_than_the_pool_become_zeros() -> None:
    made = specimen(leaf(0x00281201, b"\1\2" * 30_000, "US"), leaf(0x00281202, b"\1\2" * 30_000, "US"))
    judged = run(made, rule(D, "00281201", "00281202"))
    assert judged.data is not None
    assert judged.data.count(bytes(60_000)) == 2
