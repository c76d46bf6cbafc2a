"""Messages of the outbox by day, so that old days are dropped whole."""

from cdc.migrations import operations

revision = "canary_0003"
down_revision = "canary_0002"


def upgrade() -> None:
    operations.keep_messages_by_days(role="canary")


def downgrade() -> None:
    operations.stop_keeping_messages_by_days(role="canary")
