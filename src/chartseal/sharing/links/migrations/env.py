"""Run migrations in the connection, and so in the transaction, of whoever calls `Kind.upgrade`."""

from alembic import context

from chartseal.sharing.links.tables import METADATA, VERSIONS

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSIONS,
)
with context.begin_transaction():
    context.run_migrations()
