"""How SQLite finds what questions mean: by an index, never by reading a whole table or sorting all of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import event, text

from karnak.gateway.ledger import Ledger
from karnak.gateway.questions import Question
from karnak.gateway.states import State
from karnak.gateway.store.database import Database, index_url, migrations, open_database
from karnak.gateway.store.index import Index
from tests.gateway.arrivals import START
from tests.gateway.store.entries import entry

UID = "1.2.9"
BY_UID = {"instance_study", "instance_series", "instance_sop", "part_new_study", "part_new_series", "part_new_sop"}
# The last received first: whoever walks that way stops as soon as there are enough.
WALK = "SCAN instance USING INDEX instance_received"


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    made = open_database(index_url(tmp_path), upgrade=True)
    Index(made).add([entry("r1")])
    return made


def plans(database: Database, question: Question, by: str) -> list[list[str]]:
    """The steps of each statement that a question leads to."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    getattr(Ledger(database), by)(question, 100)
    event.remove(database.engine, "before_cursor_execute", note)
    with database.reading() as connection:
        rows = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all() for one, values in asked]
    return [[str(row[3]) for row in some] for some in rows]


def used(steps: list[str]) -> set[str]:
    """The indices that a plan uses."""
    words = [step.replace("COVERING ", "").partition("USING INDEX ")[2].split() for step in steps]
    return {found[0] for found in words if found}


@pytest.mark.parametrize("by", ["instances", "series", "studies"])
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question(uid=UID), BY_UID),
        (Question(uid=UID, state=State.DELIVERED, destination="pacs"), BY_UID),
        (Question(state=State.REJECTED), {"part_state"}),
        (Question(state=State.REJECTED, destination="pacs"), {"part_state"}),
        (Question(since=START), {"instance_received"}),
        (Question(until=START), {"instance_received"}),
        (Question(since=START, until=START + timedelta(days=1)), {"instance_received"}),
        (Question(receipt="r1"), {"sqlite_autoindex_instance_1"}),
    ],
    ids=["uid", "uid, state, where", "state", "state, where", "since", "until", "since, until", "receipt"],
)
def test_what_narrows_a_question_is_looked_up(
    sqlite: Database, question: Question, expected: set[str], by: str
) -> None:
    found = plans(sqlite, question, by)
    assert expected <= set().union(*map(used, found))
    scans = [step for steps in found for step in steps if step.split()[:2] in (["SCAN", "instance"], ["SCAN", "part"])]
    assert scans == []


@pytest.mark.parametrize(
    "question", [Question(), Question(calling_ae="CT01"), Question(destination="pacs")], ids=["all", "sender", "where"]
)
def test_what_is_common_is_found_by_a_walk_from_the_last_received(sqlite: Database, question: Question) -> None:
    for by in ("instances", "studies"):
        first, *_ = plans(sqlite, question, by)
        assert first[0] == WALK
        assert not any("TEMP B-TREE" in step for step in first)


def test_a_state_that_many_are_in_is_found_by_a_walk(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karnak.gateway.questions._FEW", 1)
    counted, walked, *_ = plans(sqlite, Question(state=State.ROUTED), "instances")
    assert used(counted) == {"part_state"}
    assert walked[0] == WALK
    assert any(step.startswith("SEARCH one USING PRIMARY KEY (receipt=?") for step in walked)


def test_an_older_index_gets_what_it_lacks(tmp_path: Path) -> None:
    made = open_database(index_url(tmp_path), upgrade=True)
    Index(made).add([entry("r1")])
    with made.writing() as connection:
        for name in ("instance_series", "instance_received", "part_state"):
            connection.execute(text(f"DROP INDEX {name}"))
        for name in ("sop", "series", "study"):
            connection.execute(text(f"DROP INDEX part_new_{name}"))
        connection.execute(text("DROP TABLE owner"))
        config = migrations()
        config.attributes["connection"] = connection
        command.stamp(config, "0001")
    made.close()
    again = open_database(index_url(tmp_path), upgrade=True)
    assert used([step for steps in plans(again, Question(since=START), "instances") for step in steps]) >= {
        "instance_received"
    }
    again.close()
