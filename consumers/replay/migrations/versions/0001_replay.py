"""The record of replays into live consumers."""

from cdc.migrations import operations
from consumers import replay

revision = "replay_0001"
down_revision = None


def upgrade() -> None:
    operations.execute_file(replay, "live.sql")
