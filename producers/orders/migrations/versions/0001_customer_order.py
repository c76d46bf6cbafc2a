"""Orders as they stand."""

from cdc.migrations import operations

revision = "orders_0001"
down_revision = None

CREATE = r"""
create table customer_order (
    order_id      uuid           not null,
    customer_id   text           not null,
    status        text           not null,
    currency      text           not null,
    lines         jsonb          not null,
    total         numeric(19, 4) not null,
    placed_at     timestamptz    not null,
    updated_at    timestamptz    not null,
    version       bigint         not null,
    payment_id    uuid,
    cancel_reason text,
    constraint customer_order_pkey primary key (order_id),
    constraint customer_order_customer_id check (char_length(customer_id) between 1 and 128),
    constraint customer_order_status check (status in ('pending', 'confirmed', 'cancelled')),
    constraint customer_order_currency check (currency ~ '^[A-Z]{3}$'),
    constraint customer_order_total check (total between 0 and 999999999999999.9999),
    constraint customer_order_time check (updated_at >= placed_at),
    constraint customer_order_version check (version >= 1),
    constraint customer_order_paid check ((status = 'confirmed') = (payment_id is not null)),
    constraint customer_order_reason check ((status = 'cancelled') = (cancel_reason is not null)),
    constraint customer_order_lines check (
        case jsonb_typeof(lines) when 'array' then
            jsonb_array_length(lines) between 1 and 500
            and jsonb_array_length(lines) = jsonb_array_length(jsonb_path_query_array(
                lines,
                'strict $[*] ? (
                    @.sku like_regex "^.{1,128}$" flag "s"
                    && @.quantity >= 1 && @.quantity <= 1000000
                    && @.unit_price like_regex "^[0-9]{1,15}([.][0-9]{1,4})?$"
                )'
            ))
        else false end
    )
);

comment on table customer_order is
    'Orders as they stand; how they came to stand so is in outbox_event.';
comment on column customer_order.lines is
    'What was ordered: array of {sku, quantity, unit_price}, prices as exact decimal strings. Kept in the row because '
    'lines are written once, with the order, and only ever read with it.';
comment on column customer_order.version is
    'Number of events the order has had; the next one is version + 1 in outbox_event.';
comment on index customer_order_pkey is
    'Serves every query of the service: an order is only ever asked for by its id.';

-- What was ordered stays as it was; only where the order stands may change.
grant select, insert on customer_order to orders;
grant update (status, payment_id, cancel_reason, updated_at, version) on customer_order to orders;
"""


def upgrade() -> None:
    operations.execute(CREATE)
