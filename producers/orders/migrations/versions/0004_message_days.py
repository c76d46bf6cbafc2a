"""Messages of the outbox by day, so that old days are dropped whole."""

from cdc.migrations import operations

revision = "orders_0004"
down_revision = "orders_0003"


def upgrade() -> None:
    operations.keep_messages_by_days(role="orders")


def downgrade() -> None:
    operations.stop_keeping_messages_by_days(role="orders")
