"""API keys: who has which, and what each allows."""

from cdc.migrations import operations
from producers.rest.access import migrations

revision = "access_0001"
down_revision = None


def upgrade() -> None:
    operations.execute_file(migrations, "1_api_key.sql")


def downgrade() -> None:
    operations.execute("drop function note_use; drop table api_key, api_key_revision")
