"""Sagas run once more from a step on, and what that takes is kept."""

from cdc.migrations import operations
from consumers.sagas import ddl

revision = "sagas_0002"
down_revision = "sagas_0001"


def upgrade() -> None:
    operations.execute_file(ddl, "2_forks.sql")


def downgrade() -> None:
    operations.execute("delete from saga_action where verb = 'fork'")
    operations.execute("alter table saga_action drop constraint saga_action_verb_check")
    operations.execute(
        "alter table saga_action add constraint saga_action_verb_check"
        " check (verb in ('resume', 'retry', 'cancel', 'kill', 'skip'))"
    )
    operations.execute("alter table saga_action drop column newest")
    operations.execute("drop table saga_run")
    operations.execute("alter table saga_instance drop column generations")
    operations.execute("alter table saga_log drop column state")
