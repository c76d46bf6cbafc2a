"""The inbox by days, and parked messages."""

from consumers.runtime import migrations as runtime

revision = "orders_worker_0002"
down_revision = "orders_worker_0001"


def upgrade() -> None:
    """Create them; the inbox keeps what it holds."""
    runtime.partition_inbox(role="orders")
    runtime.create_parking(role="orders")


def downgrade() -> None:
    """Drop them; what is parked is lost."""
    runtime.drop_parking()
    runtime.unpartition_inbox()
