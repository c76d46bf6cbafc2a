"""The projection of orders and revenue per minute, and the inbox."""

from alembic import op

from consumers.runtime import migrations as runtime

revision = "analytics_0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
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
    runtime.create_inbox(role="analytics")


def downgrade() -> None:
    """Drop them, with what they hold."""
    runtime.drop_inbox()
    op.execute("drop table orders_per_minute")
