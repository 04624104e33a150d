"""A model of the index's database: what is committed stays, and each commit is a call that something can happen at."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from karnak.gateway.store.database import Database
from tests.gateway.model_disk import ModelDisk


class ModelDatabase(Database):
    """A database that loses nothing that is committed.

    Args:
        made: a real one.
        disk: the model of the disk, which says what happens.
    """

    def __init__(self, made: Database, disk: ModelDisk) -> None:
        super().__init__(made.engine, made.where)
        self._disk = disk

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with super().writing() as connection:
            yield connection
            self._call()
        # It is written, and who wrote it may never hear so.
        self._call()

    @abstractmethod
    def _call(self) -> None:
        """Let happen what is to happen."""
