"""Snapshots of aggregates with long histories; whatever is missing among them is worked out from the events."""

from cdc.event_log import ddl
from cdc.migrations import operations

revision = "outbox_0004"
down_revision = "outbox_0003"


def upgrade() -> None:
    if not operations.is_there("aggregate_snapshot"):
        operations.execute_file(ddl, "1_snapshots.sql")
