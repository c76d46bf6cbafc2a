"""The outbox refuses what could not be published."""

from cdc.migrations import operations

revision = "analytics_0005"
down_revision = "analytics_0004"


def upgrade() -> None:
    operations.refuse_what_cannot_be_published(role="analytics")


def downgrade() -> None:
    operations.admit_everything()
