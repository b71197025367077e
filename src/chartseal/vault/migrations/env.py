"""Run migrations in the connection, and so in the transaction, of whoever calls `open_database`."""

from alembic import context

from chartseal.vault.tables import METADATA, VERSIONS

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSIONS,
)
with context.begin_transaction():
    context.run_migrations()
