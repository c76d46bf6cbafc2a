"""The outbox refuses undeclared topics, messages that are too large, and gaps; rows that it has may stay."""

from cdc.bounds import ddl
from cdc.migrations import operations

revision = "outbox_0005"
down_revision = "outbox_0004"


def upgrade() -> None:
    if not operations.is_there("outbox_topic"):
        operations.execute_file(ddl, "1_outbox.sql")
