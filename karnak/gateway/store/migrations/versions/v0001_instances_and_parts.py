"""Instances, and their parts at destinations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first shape of the index."""
    op.create_table(
        "instance",
        sa.Column("receipt", sa.String, primary_key=True),
        sa.Column("called_ae", sa.Text, nullable=False),
        sa.Column("calling_ae", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("door", sa.String, nullable=False),
        sa.Column("sop_class_uid", sa.Text, nullable=False),
        sa.Column("sop_instance_uid", sa.Text, nullable=False),
        sa.Column("series_instance_uid", sa.Text),
        sa.Column("study_instance_uid", sa.Text),
        sa.Column("transfer_syntax_uid", sa.Text, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("patient", sa.LargeBinary),
        sa.Column("ended", sa.BigInteger),
        sa.Column("settled", sa.BigInteger),
    )
    op.create_table(
        "part",
        sa.Column("receipt", sa.String, sa.ForeignKey("instance.receipt", ondelete="CASCADE"), primary_key=True),
        sa.Column("destination", sa.String, primary_key=True),
        sa.Column("sop_instance_uid", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("retry_at", sa.BigInteger),
        sa.Column("ended", sa.BigInteger),
        sa.Column("wish", sa.SmallInteger),
        sa.Column("program", sa.String),
        sa.Column("new_sop_instance_uid", sa.Text),
        sa.Column("new_series_instance_uid", sa.Text),
        sa.Column("new_study_instance_uid", sa.Text),
        sqlite_with_rowid=False,
    )
    _index("part_open", "part", "destination", "state", "receipt", where="ended IS NULL")
    _index("part_retry", "part", "destination", "retry_at", where="retry_at IS NOT NULL")
    _index("part_turn", "part", "sop_instance_uid", "destination", "receipt", where="ended IS NULL")
    _index("part_wish", "part", "wish", where="wish IS NOT NULL")
    _index("instance_unsettled", "instance", "ended", where="settled IS NULL")
    _index("instance_settled", "instance", "settled")
    _index("instance_study", "instance", "study_instance_uid")
    _index("instance_sop", "instance", "sop_instance_uid")


def _index(name: str, table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, list(columns), sqlite_where=condition, postgresql_where=condition)
