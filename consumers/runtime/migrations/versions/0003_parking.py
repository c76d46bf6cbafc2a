"""Parked messages, and what was done about them."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0003"
down_revision = "runtime_0002"


def upgrade() -> None:
    if not operations.is_there("parked_message"):
        operations.execute_file(ddl, "3_parking.sql")
