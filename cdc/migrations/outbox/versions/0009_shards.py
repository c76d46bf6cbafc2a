"""Retention waits for each of several slots that share the keys of an outbox."""

from cdc.migrations import operations, outbox

revision = "outbox_0009"
down_revision = "outbox_0008"


def upgrade() -> None:
    operations.execute_file(outbox, "6_shards.sql")
