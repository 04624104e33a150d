"""The audit log: every entry is safe when `write` returns, and no change to a file goes unseen."""

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.audit import KEYS, AuditEntry, AuditError, AuditEvent, AuditLog
from karnak.gateway.audit_chain import AuditFinding, Link, audit_files, make_line, summarize_audit, verify_audit

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def disk_that_is_not_waited_for() -> Iterator[None]:
    """Thousands of syncs would take minutes on a busy disk; one test asks that they are made."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("fsync", "fdatasync"):
            patched.setattr(os, name, lambda descriptor: None)
        yield


def clock_of(*times: datetime) -> Callable[[], datetime]:
    """A clock that tells these times and stays at the last."""
    left = list(times)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def received(number: int) -> AuditEntry:
    return AuditEntry.of(AuditEvent.RECEIVED, receipt=f"{number:026d}", door="stow", calling_ae="CT01")


def facts(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in audit_files(folder) for line in path.read_bytes().splitlines()]


def fill(folder: Path) -> None:
    """Write a log of three days with a crash in it."""
    log = AuditLog(folder, clock_of(NOON))
    log.write(AuditEntry.of(AuditEvent.STARTED, version="1"), received(1))
    log.write(received(2))
    log.close()
    cut_off(folder, 40)
    log = AuditLog(folder, clock_of(NOON, NOON + timedelta(days=1), NOON + timedelta(days=3)))
    log.write(received(3), received(4))
    log.write(received(5))
    log.close()


def cut_off(folder: Path, size: int) -> None:
    """Take bytes off the end of the last file, as a crash does."""
    last = audit_files(folder)[-1]
    with last.open("r+b") as file:
        file.truncate(last.stat().st_size - size)


def test_lines_are_json_with_the_hash_of_themselves_and_of_the_one_before(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit", clock_of(NOON))
    log.write(AuditEntry.of(AuditEvent.STARTED, version="1"), received(7))
    first, second = (tmp_path / "audit" / "2026-01-02.jsonl").read_bytes().splitlines()
    start = b'{"number":1,"time":"2026-01-02T12:00:00.000Z","event":"started","version":"1","previous":"' + b"0" * 64
    digest = hashlib.sha256(start + b'"').hexdigest()
    assert first == start + b'","hash":"' + digest.encode() + b'"}'
    line = json.loads(second)
    assert (line["number"], line["event"], line["previous"]) == (2, "received", digest)
    assert line["receipt"] == "00000000000000000000000007"
    assert (tmp_path / "audit" / "2026-01-02.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700
    log.close()


def test_a_log_over_days_and_a_crash_is_in_order(tmp_path: Path) -> None:
    fill(tmp_path)
    assert [path.name for path in audit_files(tmp_path)] == ["2026-01-02.jsonl", "2026-01-03.jsonl", "2026-01-05.jsonl"]
    summary = summarize_audit(tmp_path)
    assert (summary.lines, summary.torn, summary.finding) == (6, 1, None)
    assert summary.last == facts_of_last(tmp_path)["hash"]


def facts_of_last(folder: Path) -> dict[str, object]:
    line: dict[str, object] = json.loads(audit_files(folder)[-1].read_bytes().splitlines()[-1])
    return line


def test_keys_that_nobody_has_thought_about_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="patient_id"):
        AuditEntry.of(AuditEvent.RECEIVED, patient_id="1")
    assert not KEYS & {"number", "time", "event", "previous", "hash", "torn_bytes", "torn_sha256"}


def test_a_value_can_not_break_its_line(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, clock_of(NOON))
    wild = 'A"\n\x00\u2028,"hash":"' + "0" * 64 + '"}\n'
    log.write(AuditEntry.of(AuditEvent.CALLER_REFUSED, calling_ae=wild))
    log.write(received(1))
    log.close()
    assert [line.get("calling_ae") for line in facts(tmp_path)] == [wild, "CT01"]
    assert verify_audit(tmp_path) is None


def changes(data: bytes) -> Iterator[bytes]:
    """One change at every byte, of each kind in turn: another value, taken out, one more before it."""
    for index, byte in enumerate(data):
        kinds = (bytes([byte ^ 1]), b"", b"\n" + bytes([byte]), bytes([byte ^ 0x20]), b"\0", bytes([byte]) * 2)
        yield data[:index] + kinds[index % len(kinds)] + data[index + 1 :]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_every_change_of_a_byte_is_found_in_its_file_or_the_next(tmp_path: Path, index: int) -> None:
    fill(tmp_path)
    files = audit_files(tmp_path)
    path = files[index]
    whole = path.read_bytes()
    where = {file.name for file in files[index : index + 2]}
    count = 0
    for changed in changes(whole):
        path.write_bytes(changed)
        finding = verify_audit(tmp_path)
        assert finding is not None, changed
        assert finding.file in where
        count += 1
    path.write_bytes(whole)
    assert verify_audit(tmp_path) is None
    assert count == len(whole) > 100


@given(st.data())
def test_any_change_to_any_bytes_is_found(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder)
        path = data.draw(st.sampled_from(audit_files(folder)))
        whole = path.read_bytes()
        start = data.draw(st.integers(0, len(whole) - 1))
        end = data.draw(st.integers(start, min(len(whole), start + 600)))
        new = data.draw(st.binary(max_size=40) | st.just(whole[start:end][::-1]))
        changed = whole[:start] + new + whole[end:]
        path.write_bytes(changed)
        finding = verify_audit(folder)
        cut_at_the_very_end = path == audit_files(folder)[-1] and changed in (whole_lines(whole), b"")
        assert (finding is None) == (changed == whole or cut_at_the_very_end)


def whole_lines(data: bytes) -> bytes:
    """All lines but the last."""
    return b"".join(data.splitlines(keepends=True)[:-1])


def test_the_first_break_is_named_by_file_and_line(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "2026-01-03.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"CT01", b"CT02"))
    finding = verify_audit(tmp_path)
    assert finding is not None
    assert (finding.file, finding.line) == ("2026-01-03.jsonl", 2)
    assert str(finding).startswith("2026-01-03.jsonl:2: the line was changed")
    path.write_bytes(lines[1] + lines[0])
    assert verify_audit(tmp_path) == AuditFinding(
        "2026-01-03.jsonl",
        1,
        "line 4 of the log should stand here; lines were added, moved or taken away",
    )


@pytest.mark.parametrize("number", [1, 2, 4, 5])
def test_a_line_that_was_made_anew_with_its_right_hash_is_noticed_at_the_next(tmp_path: Path, number: int) -> None:
    fill(tmp_path)
    lines = {line["number"]: line for line in map(json.loads, filter(complete, all_lines(tmp_path)))}
    old = lines[number]
    last = Link(number - 1, str(old["previous"]))
    new, _ = make_line(last, NOON, "received", {"receipt": "another"})
    for path in audit_files(tmp_path):
        text = path.read_bytes()
        path.write_bytes(b"".join(new if is_line(raw, number) else raw for raw in text.splitlines(keepends=True)))
    finding = verify_audit(tmp_path)
    assert finding is not None
    # What a crash has left of the third line lies between the second and the note about it.
    assert summarize_audit(tmp_path).lines == number


def all_lines(folder: Path) -> list[bytes]:
    return [line for path in audit_files(folder) for line in path.read_bytes().splitlines()]


def complete(line: bytes) -> bool:
    return line.endswith(b'"}')


def is_line(line: bytes, number: int) -> bool:
    return complete(line.removesuffix(b"\n")) and json.loads(line)["number"] == number


@pytest.mark.parametrize("name", ["2026-01-02.jsonl", "2026-01-03.jsonl"])
def test_a_file_that_was_taken_away_is_noticed_at_the_next(tmp_path: Path, name: str) -> None:
    fill(tmp_path)
    (tmp_path / name).unlink()
    finding = verify_audit(tmp_path)
    assert finding is not None
    assert finding.file > name
    assert finding.line == 1


def test_every_cut_of_the_end_is_noted_by_the_next_start(tmp_path: Path) -> None:
    fill(tmp_path / "whole")
    size = audit_files(tmp_path / "whole")[-1].stat().st_size
    for cut in range(1, size):
        folder = tmp_path / str(cut)
        shutil.copytree(tmp_path / "whole", folder)
        cut_off(folder, cut)
        found = verify_audit(folder)
        assert found is not None
        assert "cut off by a crash" in found.problem
        log = AuditLog(folder, clock_of(NOON + timedelta(days=4)))
        log.write(received(6))
        log.close()
        summary = summarize_audit(folder)
        # Where only the end of the line was lost, the line itself counts.
        assert (summary.lines, summary.torn, summary.finding) == (8 if cut == 1 else 7, 2, None)
        shutil.rmtree(folder)


def test_a_crash_while_a_crash_is_noted_is_noted_too(tmp_path: Path) -> None:
    fill(tmp_path / "whole")
    cut_off(tmp_path / "whole", 30)
    before = audit_files(tmp_path / "whole")[-1].stat().st_size
    AuditLog(tmp_path / "whole", clock_of(NOON)).close()
    note = audit_files(tmp_path / "whole")[-1].stat().st_size - before
    for cut in range(1, note):
        folder = tmp_path / str(cut)
        shutil.copytree(tmp_path / "whole", folder)
        cut_off(folder, cut)
        log = AuditLog(folder, clock_of(NOON + timedelta(days=4)))
        log.write(received(6))
        log.close()
        assert summarize_audit(folder).finding is None
        assert summarize_audit(folder).torn == (3 if cut == 1 else 2)
        shutil.rmtree(folder)


def test_remains_of_a_crash_can_not_be_changed_either(tmp_path: Path) -> None:
    fill(tmp_path)
    path = tmp_path / "2026-01-02.jsonl"
    torn = path.read_bytes().splitlines(keepends=True)[2]
    assert not torn.endswith(b'"}\n')
    path.write_bytes(path.read_bytes().replace(torn, torn.replace(b"received", b"rejected")))
    finding = verify_audit(tmp_path)
    assert finding is not None
    assert (finding.file, finding.line) == ("2026-01-02.jsonl", 3)


def test_a_clock_that_goes_back_keeps_the_order(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, clock_of(NOON, NOON - timedelta(days=2), NOON + timedelta(days=1)))
    for number in range(3):
        log.write(received(number))
    log.close()
    assert [path.name for path in audit_files(tmp_path)] == ["2026-01-02.jsonl", "2026-01-03.jsonl"]
    assert [line["number"] for line in facts(tmp_path)] == [1, 2, 3]
    assert verify_audit(tmp_path) is None


def test_two_processes_do_not_write_one_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, clock_of(NOON))
    with pytest.raises(AuditError, match="another process"):
        AuditLog(tmp_path, clock_of(NOON))
    log.close()
    AuditLog(tmp_path, clock_of(NOON)).close()


def test_many_threads_make_one_chain(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, clock_of(NOON))

    def work(start: int) -> None:
        for number in range(start, start + 20):
            log.write(received(number), received(number))

    threads = [threading.Thread(target=work, args=(100 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert summarize_audit(tmp_path).lines == 160
    assert verify_audit(tmp_path) is None


def test_one_sync_per_batch_and_none_is_reported_safe_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fdatasync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_size)

    log = AuditLog(tmp_path, clock_of(NOON))
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    log.write(*map(received, range(50)))
    assert synced == [(tmp_path / "2026-01-02.jsonl").stat().st_size]
    log.write()
    assert len(synced) == 1
    log.close()


@pytest.mark.parametrize("written", [0, 1, 100, 250, 400])
def test_a_full_disk_is_told_and_the_chain_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    log = AuditLog(tmp_path, clock_of(NOON))
    log.write(received(1))
    write = os.write
    left = [written]

    def fill_up(descriptor: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(descriptor, data[: left[0]])
        left[0] -= done
        return done

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fill_up)
        with pytest.raises(OSError, match="No space"):
            log.write(received(2), received(3), received(4))
    log.write(received(5))
    log.close()
    assert verify_audit(tmp_path) is None
    assert facts_of_last(tmp_path)["receipt"] == "00000000000000000000000005"


def test_no_log_is_no_finding_and_other_files_are_left_alone(tmp_path: Path) -> None:
    assert verify_audit(tmp_path / "none") is None
    (tmp_path / "note.txt").write_text("DOE")
    log = AuditLog(tmp_path, clock_of(NOON))
    log.write(received(1))
    log.close()
    assert verify_audit(tmp_path) is None
    assert (tmp_path / "note.txt").read_text() == "DOE"
