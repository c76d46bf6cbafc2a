"""Messages of the outbox by day, so that old days are dropped whole; what there is stays where it lies."""

from cdc.migrations import operations
from cdc.retention import ddl

revision = "outbox_0003"
down_revision = "outbox_0002"


def upgrade() -> None:
    if not operations.is_there("outbox_day_end"):
        operations.execute_file(ddl, "1_days.sql")


def downgrade() -> None:
    # the days that there are stay, and the default partition takes the rest
    operations.execute(
        "drop function maintain_outbox(text, interval, boolean), outbox_take_over(),"
        " outbox_unpublished(text, pg_lsn, xid8), outbox_days(), outbox_midnight(date);"
        " drop table outbox_day_end, outbox_hold"
    )
    operations.grant("insert", "outbox")
