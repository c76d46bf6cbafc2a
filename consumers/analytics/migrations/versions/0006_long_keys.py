"""Parked messages of keys that are too long for an index."""

from consumers.runtime import migrations as runtime

revision = "analytics_0006"
down_revision = "analytics_0005"


def upgrade() -> None:
    runtime.allow_long_keys()


def downgrade() -> None:
    runtime.allow_short_keys_only()
