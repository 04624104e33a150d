"""Runs migrations on the connection that `karnak.gateway.store.database` has opened; Alembic executes this file."""

from alembic import context

from karnak.gateway.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite undoes changes of shape with their transaction, too.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
