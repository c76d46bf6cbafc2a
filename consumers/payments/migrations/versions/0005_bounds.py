"""The outbox refuses what could not be published."""

from cdc.migrations import operations

revision = "payments_0005"
down_revision = "payments_0004"


def upgrade() -> None:
    operations.refuse_what_cannot_be_published(role="payments")


def downgrade() -> None:
    operations.admit_everything()
