"""The role that only looks sees how far relays are, and what is set aside."""

from cdc.migrations import operations
from cdc.relay import migrations

revision = "relay_0003"
down_revision = "relay_0002"


def upgrade() -> None:
    operations.execute_file(migrations, "3_reader.sql")
