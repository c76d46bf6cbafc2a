"""A position is one of a topic's id, not of its name."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0005"
down_revision = "runtime_0004"


def upgrade() -> None:
    if not operations.is_there("consumer_offset", "topic_id"):
        operations.execute_file(ddl, "5_topic_ids.sql")
