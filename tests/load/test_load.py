"""Senders that never stop and an archive that falls: nothing is lost.

`scripts/load` goes on for ten minutes, which is what it takes to see whether memory grows.
"""

from pathlib import Path

from tests.load.house import load_house

SECONDS = 8.0
SENDERS = 4


def test_nothing_is_lost_under_load_while_an_archive_falls(tmp_path: Path) -> None:
    with load_house(tmp_path, SENDERS, SECONDS) as load:
        load.send(SECONDS, lambda load: None)
        load.drain(lambda load: None)
        load.check()
        load.end()
        assert load.acknowledged >= 100
        assert load.peer.falls >= 2
