"""Who has freed by hand what sagas had locked."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0007"
down_revision = "runtime_0006"


def upgrade() -> None:
    operations.execute_file(ddl, "7_saga_unlocks.sql")
