"""Run by Alembic: migrates the connection that it is given."""

from __future__ import annotations

from alembic import context

from chartseal.chain.index.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
