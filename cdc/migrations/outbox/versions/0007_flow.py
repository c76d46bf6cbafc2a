"""What led to what can be found again: messages by their correlation, and when their transactions began."""

from cdc.migrations import operations, outbox

revision = "outbox_0007"
down_revision = "outbox_0006"


def upgrade() -> None:
    operations.execute_file(outbox, "4_flow.sql")
