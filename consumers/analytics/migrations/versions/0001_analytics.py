"""The projection of orders and revenue per minute."""

from alembic import op

revision = "analytics_0001"
down_revision = None
SUPERSEDES = tuple(
    f"analytics_{number:04}" for number in range(2, 8)
)  # of tables that all services share


def upgrade() -> None:
    op.execute(
        """
        create table orders_per_minute (
            minute    timestamptz    not null,
            currency  text           not null check (currency ~ '^[A-Z]{3}$'),
            placed    bigint         not null check (placed >= 0),
            confirmed bigint         not null check (confirmed >= 0),
            cancelled bigint         not null check (cancelled >= 0),
            revenue   numeric(24, 4) not null check (revenue >= 0),
            primary key (minute, currency)
        )
        """
    )
    op.execute("comment on column orders_per_minute.revenue is 'totals of the orders confirmed'")
    op.execute("grant select, insert, update on orders_per_minute to analytics")
