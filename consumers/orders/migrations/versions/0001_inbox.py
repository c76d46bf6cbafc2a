"""Inbox of the orders worker; the orders tables themselves belong to the orders service's migrations."""

from consumers.runtime import migrations as runtime

revision = "orders_worker_0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    runtime.create_inbox(role="orders")


def downgrade() -> None:
    """Drop them, with what they hold."""
    runtime.drop_inbox()
