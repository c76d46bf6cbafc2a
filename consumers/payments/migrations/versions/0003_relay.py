"""The relay can publish the outbox."""

from cdc.migrations import operations

revision = "payments_0003"
down_revision = "payments_0002"


def upgrade() -> None:
    operations.add_relay_support()


def downgrade() -> None:
    operations.drop_relay_support()
