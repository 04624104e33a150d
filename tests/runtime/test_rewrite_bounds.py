"""Instances with more elements than a workspace has rows for, in every array that grows."""

from datetime import UTC, datetime

from karnak.ir.profile import Action, Apply, Profile, Rule
from karnak.ir.selector import EVERY_TAG, Selector
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.program import Program

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXPLICIT = "1.2.840.10008.1.2.1"


def element(tag: int, vr: str, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return (
        (tag >> 16).to_bytes(2, "little")
        + (tag & 0xFFFF).to_bytes(2, "little")
        + vr.encode()
        + len(value).to_bytes(2, "little")
        + value
    )


def test_thousands_of_kinds_of_elements_and_of_values_to_make_grow_every_array() -> None:
    # Every tag is a cell of its own that is missed at first, and every value is a UID to be made.
    uids = [element(0x00110000 | 0x1000 + i, "UI", f"1.2.3.{i}".encode()) for i in range(5000)]
    dataset = b"".join(
        [
            element(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7"),
            element(0x00080018, "UI", b"1.2.3"),
            element(0x00100020, "LO", b"P1"),
            *uids,
        ]
    )
    rule = Rule("u", "action.on.privatetags", Selector((EVERY_TAG,), private_only=True), Apply(Action.UID))
    program = Program(Profile("many", "1", "", "", (rule,)))
    outcomes = [
        deidentify(
            dataset,
            program,
            Project("T", bytes(16)),
            mode="morph",
            now=NOW,
            transfer_syntax_uid=EXPLICIT,
            engine=engine,
        )
        for engine in ("tables", "reference")
    ]
    assert [outcome.status for outcome in outcomes] == ["forwarded", "forwarded"]
    assert outcomes[0].fallback is None
    assert outcomes[0].data == outcomes[1].data
    assert outcomes[0].data is not None
    assert outcomes[0].data.count(b"2.25.") == 5000 + 1
