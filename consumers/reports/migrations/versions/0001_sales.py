"""What has happened to orders, as far as reports are about it."""

from cdc.migrations import operations

revision = "reports_sales_0001"
down_revision = None

CREATE = r"""
create table sale (
    order_id uuid           not null,
    what     text           not null,
    at       timestamptz    not null,
    currency text           not null,
    amount   numeric(19, 4) not null,
    reason   text,
    constraint sale_pkey primary key (order_id, what),
    constraint sale_what check (what in ('placed', 'confirmed', 'cancelled', 'refunded')),
    constraint sale_reason check ((what = 'cancelled') = (reason is not null))
);
comment on table sale is 'What has happened to orders, once each, with the total that it was about.';
create index sale_at on sale (at) include (order_id, what, currency, amount);
comment on index sale_at is 'Serves reports, which ask for days.';

create table sale_line (
    order_id uuid           not null,
    sku      text           not null,
    amount   numeric(24, 4) not null,
    constraint sale_line_pkey primary key (order_id, sku)
);
comment on table sale_line is 'What the lines of an order for one article come to, with their tax.';

grant select, insert on sale, sale_line to reports;
"""


def upgrade() -> None:
    operations.execute(CREATE)
