"""Messages of the outbox by day, so that old days are dropped whole."""

from cdc.migrations import operations

revision = "payments_0004"
down_revision = "payments_0003"


def upgrade() -> None:
    operations.keep_messages_by_days(role="payments")


def downgrade() -> None:
    operations.stop_keeping_messages_by_days(role="payments")
