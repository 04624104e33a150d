"""A configuration with a data folder that holds something, for the commands that look after a gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from karnak.cli.app import cli
from karnak.gateway.disk import Disk
from karnak.gateway.receipts import Receipts
from karnak.gateway.spool import Spool
from karnak.gateway.states import State
from karnak.gateway.store.database import index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import Change, Entry
from tests.gateway.arrivals import START, arrival
from tests.gateway.store.entries import LATER, at
from tests.system import programs

DESTINATIONS = ("pacs", "research")


def configure(folder: Path) -> Path:
    """Write a configuration; gives its file."""
    (folder / "profile.yml").write_text(programs.PROFILE)
    (folder / "trial.hex").write_text(programs.SECRET)
    (folder / "trial.hex").chmod(0o600)
    config = folder / "gateway.yml"
    nodes = programs.node(*(programs.to_folder(name, name) for name in DESTINATIONS))
    projects = "projects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\n"
    config.write_text(f"data_dir: data\n{projects}forward_nodes:\n{nodes}")
    return config


def fill(folder: Path) -> list[str]:
    """Three instances: one waits at the first destination, one has ended there, one is due everywhere."""
    ticks = iter(range(100))

    def clock_ns() -> int:
        return (int(START.timestamp()) + next(ticks)) * 10**9

    spool = Spool(folder / "data", Disk(), "os", Receipts(clock_ns, bytes))
    with index_at(folder) as index:
        receipts = []
        for number in range(3):
            receiving = spool.begin(arrival(sop_instance_uid=f"1.2.{number}"))
            receiving.write(b"\x08")
            receipts.append(receiving.keep())
            made = arrival(sop_instance_uid=f"1.2.{number}")
            index.add([Entry(receipts[-1], made, 1, DESTINATIONS, study_instance_uid=f"1.9.{number // 2}")])
        index.note(
            [
                Change(receipts[0], "pacs", State.WAITING, LATER, "no answer", at(60)),
                Change(receipts[1], "pacs", State.DELIVERED, LATER, "taken"),
            ]
        )
    spool.close()
    return receipts


@contextmanager
def index_at(folder: Path) -> Iterator[Index]:
    database = open_database(index_url(folder / "data"), upgrade=True)
    yield Index(database)
    database.close()


def karnak(*arguments: str | Path, answer: str | None = None) -> Result:
    """Run a command; errors for people are raised as they are."""
    return CliRunner().invoke(cli, [str(word) for word in arguments], input=answer, catch_exceptions=False)
