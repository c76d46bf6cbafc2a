"""Answers that are kept under an Idempotency-Key."""

from cdc.migrations import operations
from producers.rest import migrations

revision = "rest_0001"
down_revision = None


def upgrade() -> None:
    operations.execute_file(migrations, "1_kept_answer.sql")
