"""The outbox refuses what could not be published."""

from cdc.migrations import operations

revision = "canary_0004"
down_revision = "canary_0003"


def upgrade() -> None:
    operations.refuse_what_cannot_be_published(role="canary")


def downgrade() -> None:
    operations.admit_everything()
