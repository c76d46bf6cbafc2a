"""Sagas run once more from a step on, and what that takes is kept."""

from cdc.migrations import operations
from consumers.sagas import ddl

revision = "sagas_0002"
down_revision = "sagas_0001"


def upgrade() -> None:
    operations.execute_file(ddl, "2_forks.sql")
