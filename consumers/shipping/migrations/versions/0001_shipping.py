"""Shipments."""

from alembic import op

revision = "shipping_0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table shipment (
            shipment_id uuid        primary key,
            order_id    uuid        not null unique,
            status      text        not null check (
                status in ('created', 'rejected', 'cancelled', 'withdrawn')
            ),
            reason      text,
            items       jsonb,
            updated_at  timestamptz not null,
            version     bigint      not null,
            constraint shipment_reason check ((status = 'rejected') = (reason is not null)),
            constraint shipment_items check (status = 'withdrawn' or jsonb_typeof(items) = 'object')
        );
        comment on column shipment.items is 'units of each article, by its sku';
        comment on column shipment.version is 'number of events that it has had';
        grant select, insert, update on shipment to shipping
        """
    )
