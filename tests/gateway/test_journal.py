"""The journal says what happened and nothing of whom it happened to."""

import errno
import io
import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from karnak.gateway.journal import Journal, quieten_libraries


def journal() -> tuple[Journal, io.StringIO]:
    stream = io.StringIO()
    zone = timezone(timedelta(hours=2))
    return Journal(stream, lambda: datetime(2026, 1, 2, 3, 4, 5, 678901, zone)), stream


def test_a_line_is_json_in_utc() -> None:
    made, stream = journal()
    made.write("instance", receipt="ab", status="0000H", milliseconds=7)
    assert stream.getvalue() == (
        '{"time": "2026-01-02T01:04:05.678Z", "event": "instance", '
        '"receipt": "ab", "status": "0000H", "milliseconds": 7}\n'
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
    quieten_libraries(made)

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
