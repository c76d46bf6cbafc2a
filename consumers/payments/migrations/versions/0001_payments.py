"""Payments, their outbox and their inbox."""

from alembic import op

from cdc.migrations import operations
from consumers.runtime import migrations as runtime

revision = "payments_0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    op.execute(
        """
        create table payment (
            payment_id     uuid           primary key,
            order_id       uuid           not null unique,
            currency       text           not null check (currency ~ '^[A-Z]{3}$'),
            amount         numeric(19, 4) not null check (amount >= 0),
            status         text           not null check (status in ('completed', 'failed')),
            decline_reason text,
            settled_at     timestamptz    not null,
            check ((status = 'failed') = (decline_reason is not null))
        )
        """
    )
    op.execute("grant select, insert on payment to payments")
    operations.create_outbox(service="payments", role="payments")
    runtime.create_inbox(role="payments")


def downgrade() -> None:
    """Drop them, with what they hold."""
    runtime.drop_inbox()
    operations.drop_outbox()
    op.execute("drop table payment")
