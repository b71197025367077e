"""Run migrations in the connection, and so in the transaction, of whoever opens the store."""

from alembic import context

from chartseal.consent.tables import METADATA, VERSIONS

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSIONS,
)
with context.begin_transaction():
    context.run_migrations()
