"""Alembic's environment: runs the revisions on the connection that `cdc.migrations.upgrade` hands over."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

attributes = context.config.attributes


def record(
    ctx: MigrationContext,  # noqa: ARG001 - Alembic passes it by this name
    step: MigrationInfo,
    heads: Collection[Any],  # noqa: ARG001 - and this
    run_args: Mapping[str, Any],  # noqa: ARG001 - and this
) -> None:
    attributes["applied"].append(step.up_revision_id)


context.configure(
    connection=attributes["connection"],
    version_table=attributes["version_table"],
    on_version_apply=record,
)
with context.begin_transaction():
    context.run_migrations()
