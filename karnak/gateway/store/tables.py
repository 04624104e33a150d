"""The shape of the index: one row per instance, one per instance and destination.

This is the newest shape; `migrations/` says how a database comes to it, and a test holds the
two to each other. Times are whole microseconds since 1970-01-01 UTC, so that they are
compared the same way everywhere.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

METADATA = MetaData()

# An instance that was received; what the index knows of the original.
#   size         bytes of the data set
#   patient      the patient's identifiers, encrypted, where the configuration wants them kept
#   ended        when the last of its parts ended; NULL while one is open
#   settled      when its file was removed, kept or quarantined; a row that has ended and is not settled has a file
INSTANCES = Table(
    "instance",
    METADATA,
    Column("receipt", String, primary_key=True),
    Column("called_ae", Text, nullable=False),
    Column("calling_ae", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("door", String, nullable=False),
    Column("sop_class_uid", Text, nullable=False),
    Column("sop_instance_uid", Text, nullable=False),
    Column("series_instance_uid", Text),
    Column("study_instance_uid", Text),
    Column("transfer_syntax_uid", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("patient", LargeBinary),
    Column("ended", BigInteger),
    Column("settled", BigInteger),
)

# An instance at a destination; what became of it there.
#   sop_instance_uid   of the original, as in its instance: an older part with the same goes first
#   attempts           how often it was sent, or could not be
#   since              when it came to its state
#   retry_at           when it is due again; only where it waits
#   wish               what a person wants of it and the gateway has not done yet: drop or retry
#   program            digest of the rules that it was treated by
#   new_...            UIDs of what was sent
PARTS = Table(
    "part",
    METADATA,
    Column("receipt", String, ForeignKey("instance.receipt", ondelete="CASCADE"), primary_key=True),
    Column("destination", String, primary_key=True),
    Column("sop_instance_uid", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("cause", Text),
    Column("attempts", Integer, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("retry_at", BigInteger),
    Column("ended", BigInteger),
    Column("wish", SmallInteger),
    Column("program", String),
    Column("new_sop_instance_uid", Text),
    Column("new_series_instance_uid", Text),
    Column("new_study_instance_uid", Text),
    sqlite_with_rowid=False,
)

# The name of the data folder that the index belongs to; one row at most. Only where it is not in that folder.
OWNERS = Table("owner", METADATA, Column("name", String, primary_key=True))

_OPEN = PARTS.c.ended.is_(None)
_WAITS = PARTS.c.retry_at.is_not(None)
_WISHED = PARTS.c.wish.is_not(None)
_UNSETTLED = INSTANCES.c.settled.is_(None)

# What is due comes out of these in order, however long the queue is and however many rows have ended.
Index("part_open", PARTS.c.destination, PARTS.c.state, PARTS.c.receipt, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("part_retry", PARTS.c.destination, PARTS.c.retry_at, sqlite_where=_WAITS, postgresql_where=_WAITS)
Index("part_turn", PARTS.c.sop_instance_uid, PARTS.c.destination, PARTS.c.receipt,
      sqlite_where=_OPEN, postgresql_where=_OPEN)  # fmt: skip
Index("part_wish", PARTS.c.wish, sqlite_where=_WISHED, postgresql_where=_WISHED)
Index("instance_unsettled", INSTANCES.c.ended, sqlite_where=_UNSETTLED, postgresql_where=_UNSETTLED)
Index("instance_settled", INSTANCES.c.settled)
Index("instance_study", INSTANCES.c.study_instance_uid)
Index("instance_sop", INSTANCES.c.sop_instance_uid)

# These are for questions to the ledger.
Index("instance_series", INSTANCES.c.series_instance_uid)
Index("instance_received", INSTANCES.c.received, INSTANCES.c.receipt)
Index("part_state", PARTS.c.state, PARTS.c.destination, PARTS.c.receipt)
for _name in ("sop", "series", "study"):
    _new = PARTS.c[f"new_{_name}_instance_uid"]
    Index(f"part_new_{_name}", _new, sqlite_where=_new.is_not(None), postgresql_where=_new.is_not(None))


def to_number(time: datetime) -> int:
    """A time as the database keeps it."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(number: int) -> datetime:
    """A time that the database keeps, in UTC."""
    return _EPOCH + number * _MICROSECOND
