"""The journal says what happened and nothing of whom it happened to."""

import ast
import errno
import io
import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import karnak
from karnak.gateway.journal import KEYS, Journal, quieten_libraries


def journal() -> tuple[Journal, io.StringIO]:
    stream = io.StringIO()
    zone = timezone(timedelta(hours=2))
    return Journal(stream, lambda: datetime(2026, 1, 2, 3, 4, 5, 678901, zone)), stream


def test_a_line_is_json_in_utc() -> None:
    made, stream = journal()
    made.write("instance", receipt="ab", status="0000H", count=7)
    assert stream.getvalue() == (
        '{"time": "2026-01-02T01:04:05.678Z", "event": "instance", "receipt": "ab", "status": "0000H", "count": 7}\n'
    )


def test_a_value_can_not_break_its_line() -> None:
    made, stream = journal()
    made.write("association rejected", calling_ae='A"\n\x1b[31m\u2028B')
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert json.loads(stream.getvalue())["calling_ae"] == 'A"\n\x1b[31m\u2028B'


def test_a_stream_that_refuses_stops_nobody() -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    made = Journal(Full(), lambda: datetime(2026, 1, 2, tzinfo=UTC))
    made.write("delivered", receipt="ab")
    made.write_error("index failed", ValueError())


def test_keys_that_nobody_has_thought_about_are_refused() -> None:
    made, stream = journal()
    with pytest.raises(KeyError, match="patient_id"):
        made.write("instance", patient_id="1")
    assert stream.getvalue() == ""


def test_an_exception_is_named_by_type_and_place_not_by_its_text() -> None:
    made, stream = journal()
    try:
        int("DOE^JANE")
    except ValueError as error:
        made.write_error("instance failed", error, receipt="ab")
    line = json.loads(stream.getvalue())
    assert line["error"] == "ValueError"
    assert line["place"].startswith("test_journal.py:")
    assert "DOE" not in stream.getvalue()


@pytest.fixture
def process_settings() -> Iterator[None]:
    hook = threading.excepthook
    with warnings.catch_warnings():
        yield
    logging.disable(logging.NOTSET)
    threading.excepthook = hook


@pytest.mark.usefixtures("process_settings")
def test_libraries_are_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    made, stream = journal()
    quieten_libraries(made.write_error)

    def work() -> None:
        warnings.warn("Invalid value for VR UI: 'DOE^JANE'", stacklevel=1)
        logging.getLogger("pydicom").error("DOE^JANE")
        raise ValueError("DOE^JANE")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert json.loads(stream.getvalue())["error"] == "ValueError"
    assert "DOE" not in stream.getvalue() + "".join(capfd.readouterr())


def test_lines_of_many_threads_stay_whole() -> None:
    made, stream = journal()

    def work(number: int) -> None:
        for _ in range(50):
            made.write("instance", receipt=str(number) * 20)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 400
    assert {len(set(json.loads(line)["receipt"])) for line in lines} == {1}


def test_time_is_told_by_the_clock() -> None:
    times = iter([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)])
    stream = io.StringIO()
    made = Journal(stream, lambda: next(times))
    made.write("a")
    made.write("b")
    assert [json.loads(line)["time"][:10] for line in stream.getvalue().splitlines()] == ["2026-01-01", "2026-01-02"]


def _written(package: Path) -> set[str]:
    """The keys that are written to the journal, by a literal."""
    writers = {"write", "write_error", "journal", "journal_error", "_journal", "_say", "_note"}
    found: set[str] = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in writers:
                found |= {keyword.arg for keyword in node.keywords if keyword.arg is not None}
                mappings = [argument for argument in node.args if isinstance(argument, ast.Dict)]
                found |= {str(key.value) for made in mappings for key in made.keys if isinstance(key, ast.Constant)}
    return found


def test_no_key_is_allowed_that_nothing_writes() -> None:
    package = Path(karnak.__file__).parent
    assert _written(package / "gateway") | _written(package / "cli") == KEYS
