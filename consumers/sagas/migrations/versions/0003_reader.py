"""The role that only looks sees sagas, and what has happened to them."""

from cdc.migrations import operations
from consumers.sagas import ddl

revision = "sagas_0003"
down_revision = "sagas_0002"


def upgrade() -> None:
    operations.execute_file(ddl, "3_reader.sql")
