"""Messages of the outbox by day, so that old days are dropped whole."""

from cdc.migrations import operations

revision = "analytics_0004"
down_revision = "analytics_0003"


def upgrade() -> None:
    operations.keep_messages_by_days(role="analytics")


def downgrade() -> None:
    operations.stop_keeping_messages_by_days(role="analytics")
