"""The outbox, and its place in the publication."""

from cdc.migrations import operations, outbox

revision = "outbox_0001"
down_revision = None


def upgrade() -> None:
    if not operations.is_there("outbox"):
        operations.execute_file(outbox, "1_outbox.sql")
        operations.publish("outbox")
