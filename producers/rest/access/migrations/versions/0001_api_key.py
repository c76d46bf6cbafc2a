"""API keys: who has which, and what each allows."""

from cdc.migrations import operations
from producers.rest.access import migrations

revision = "access_0001"
down_revision = None


def upgrade() -> None:
    operations.execute_file(migrations, "1_api_key.sql")
