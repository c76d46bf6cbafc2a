"""The role that only looks sees how far consumers are, and what is held up."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0008"
down_revision = "runtime_0007"


def upgrade() -> None:
    operations.execute_file(ddl, "8_reader.sql")
