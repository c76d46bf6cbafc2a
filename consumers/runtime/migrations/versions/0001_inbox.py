"""The inbox and the offsets of the consumers in a schema."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0001"
down_revision = None


def upgrade() -> None:
    if not operations.is_there("consumer_offset"):
        operations.execute_file(ddl, "1_inbox.sql")
