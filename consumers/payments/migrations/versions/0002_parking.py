"""The inbox by days, and parked messages."""

from consumers.runtime import migrations as runtime

revision = "payments_0002"
down_revision = "payments_0001"


def upgrade() -> None:
    """Create them; the inbox keeps what it holds."""
    runtime.partition_inbox(role="payments")
    runtime.create_parking(role="payments")


def downgrade() -> None:
    """Drop them; what is parked is lost."""
    runtime.drop_parking()
    runtime.unpartition_inbox()
