"""The relay can find what is new in the outbox, and is woken when something is."""

from cdc.migrations import operations, outbox

revision = "outbox_0002"
down_revision = "outbox_0001"


def upgrade() -> None:
    if not operations.is_there("outbox", "transaction_id"):
        operations.execute_file(outbox, "2_relay.sql")
