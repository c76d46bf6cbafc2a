"""Messages may be kept back until their time."""

from cdc.migrations import operations, outbox

revision = "outbox_0006"
down_revision = "outbox_0005"


def upgrade() -> None:
    operations.execute_file(outbox, "3_delayed.sql")
