"""Questions to the ledger: by series, by time, by state, and by the UIDs of what was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indices."""
    op.create_index("instance_series", "instance", ["series_instance_uid"])
    op.create_index("instance_received", "instance", ["received", "receipt"])
    op.create_index("part_state", "part", ["state", "destination", "receipt"])
    for name in ("sop", "series", "study"):
        column = f"new_{name}_instance_uid"
        sent = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"part_new_{name}", "part", [column], sqlite_where=sent, postgresql_where=sent)
