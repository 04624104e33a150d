"""The data folder that an index belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; it is empty until a gateway has claimed the index."""
    op.create_table("owner", sa.Column("name", sa.String, primary_key=True))
