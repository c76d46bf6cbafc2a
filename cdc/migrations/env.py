"""Alembic's environment: runs the revisions on the connection that `cdc.migrations.upgrade` hands over."""

from alembic import context

from cdc.migrations import record

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table=attributes["version_table"],
    on_version_apply=record,
)
with context.begin_transaction():
    context.run_migrations()
