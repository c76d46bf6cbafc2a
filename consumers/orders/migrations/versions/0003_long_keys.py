"""Parked messages of keys that are too long for an index."""

from consumers.runtime import migrations as runtime

revision = "orders_worker_0003"
down_revision = "orders_worker_0002"


def upgrade() -> None:
    runtime.allow_long_keys()


def downgrade() -> None:
    runtime.allow_short_keys_only()
