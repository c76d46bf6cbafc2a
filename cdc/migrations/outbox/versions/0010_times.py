"""What no header can hold of a time is refused, by what keeps messages back as well; rows that are there may stay."""

from cdc.bounds import ddl
from cdc.migrations import operations

revision = "outbox_0010"
down_revision = "outbox_0009"


def upgrade() -> None:
    operations.execute_file(ddl, "2_times.sql")
