"""Stock by article, and what is set aside of it by order."""

from alembic import op

revision = "inventory_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table stock (
            sku      text   primary key,
            stocked  bigint not null check (stocked >= 0),
            on_hand  bigint not null check (on_hand >= 0),
            reserved bigint not null check (reserved >= 0),
            shipped  bigint not null check (shipped >= 0),
            constraint stock_adds_up check (on_hand + reserved + shipped = stocked)
        );
        comment on column stock.stocked is 'units that were ever put in';

        create table reservation (
            reservation_id uuid        primary key,
            order_id       uuid        not null unique,
            status         text        not null check (
                status in ('open', 'reserved', 'refused', 'released', 'shipped', 'withdrawn')
            ),
            items          jsonb,
            missing        text[]      not null default '{}',
            paid           boolean     not null,
            updated_at     timestamptz not null,
            version        bigint      not null,
            constraint reservation_items check (
                status in ('open', 'withdrawn') or jsonb_typeof(items) = 'object'
            )
        );
        comment on column reservation.items is
            'units of each article, by its sku; null as long as nobody has told what was ordered';
        comment on column reservation.version is 'number of events that it has had';

        grant select, insert, update on stock, reservation to inventory
        """
    )
