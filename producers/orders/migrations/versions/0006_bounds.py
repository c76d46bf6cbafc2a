"""The outbox refuses what could not be published."""

from cdc.migrations import operations

revision = "orders_0006"
down_revision = "orders_0005"


def upgrade() -> None:
    operations.refuse_what_cannot_be_published(role="orders")


def downgrade() -> None:
    operations.admit_everything()
