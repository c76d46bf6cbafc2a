"""Sagas, their log, their definitions, and what people want done about them."""

from cdc.migrations import operations
from consumers.sagas import ddl

revision = "sagas_0001"
down_revision = None


def upgrade() -> None:
    operations.execute_file(ddl, "1_sagas.sql")
