"""The inbox by days, and parked messages; an outbox to tell of dead letters."""

from cdc.migrations import operations
from consumers.runtime import migrations as runtime

revision = "analytics_0002"
down_revision = "analytics_0001"


def upgrade() -> None:
    """Create them; the inbox keeps what it holds."""
    runtime.partition_inbox(role="analytics")
    runtime.create_parking(role="analytics")
    operations.create_outbox(service="analytics", role="analytics")


def downgrade() -> None:
    """Drop them; what is parked is lost."""
    operations.drop_outbox()
    runtime.drop_parking()
    runtime.unpartition_inbox()
