"""Parked messages of keys that are too long for an index."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0004"
down_revision = "runtime_0003"


def upgrade() -> None:
    if operations.is_unique("parked_sequence", "parked_sequence_key"):
        operations.execute_file(ddl, "4_long_keys.sql")
