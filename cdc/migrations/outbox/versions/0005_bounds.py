"""The outbox refuses undeclared topics, messages that are too large, and gaps; rows that it has may stay."""

from cdc.bounds import ddl
from cdc.migrations import operations

revision = "outbox_0005"
down_revision = "outbox_0004"


def upgrade() -> None:
    if not operations.is_there("outbox_topic"):
        operations.execute_file(ddl, "1_outbox.sql")


def downgrade() -> None:
    operations.execute(
        "drop trigger outbox_follow on outbox_event; drop trigger outbox_admit on outbox;"
        " drop function outbox_follow(), outbox_admit(); drop table outbox_topic"
    )
