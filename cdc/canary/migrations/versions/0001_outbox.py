"""Outbox of the canary."""

from cdc.migrations import operations

revision = "canary_0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    operations.create_outbox(service="canary", role="canary")


def downgrade() -> None:
    """Drop them, with what they hold."""
    operations.drop_outbox()
