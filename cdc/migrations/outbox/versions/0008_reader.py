"""The role that only looks sees messages, and what retention would do."""

from cdc.migrations import operations, outbox

revision = "outbox_0008"
down_revision = "outbox_0007"


def upgrade() -> None:
    operations.execute_file(outbox, "5_reader.sql")
