"""The inbox by the days on which messages were made, so that old days are dropped whole; what it holds is kept."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0002"
down_revision = "runtime_0001"


def upgrade() -> None:
    if not operations.is_there("inbox_window"):
        operations.execute_file(ddl, "2_partitioned_inbox.sql")
