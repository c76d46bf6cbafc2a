"""Snapshots of orders with long histories; whatever is missing among them is worked out from the events."""

from cdc.event_log import ddl
from cdc.migrations import operations

revision = "orders_0005"
down_revision = "orders_0004"


def upgrade() -> None:
    operations.execute_file(ddl, "1_snapshots.sql", role="orders")


def downgrade() -> None:
    operations.execute("drop table aggregate_snapshot")
