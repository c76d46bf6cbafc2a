"""What sagas lock at a participant, and who waits for it."""

from cdc.migrations import operations
from consumers.runtime import ddl

revision = "runtime_0006"
down_revision = "runtime_0005"


def upgrade() -> None:
    operations.execute_file(ddl, "6_saga_locks.sql")
