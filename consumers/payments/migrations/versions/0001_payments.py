"""Payments."""

from alembic import op

revision = "payments_0001"
down_revision = None
SUPERSEDES = tuple(
    f"payments_{number:04}" for number in range(2, 8)
)  # of tables that all services share


def upgrade() -> None:
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
