"""Messages of the outbox by day, so that old days are dropped whole; what there is stays where it lies."""

from cdc.migrations import operations
from cdc.retention import ddl

revision = "outbox_0003"
down_revision = "outbox_0002"


def upgrade() -> None:
    if not operations.is_there("outbox_day_end"):
        operations.execute_file(ddl, "1_days.sql")
