"""The relay can publish the outbox."""

from cdc.migrations import operations

revision = "canary_0002"
down_revision = "canary_0001"


def upgrade() -> None:
    operations.add_relay_support()


def downgrade() -> None:
    operations.drop_relay_support()
