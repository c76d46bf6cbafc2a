"""Orders say how they are fulfilled, and how far that has come."""

from cdc.migrations import operations

revision = "orders_0007"  # those between are of an earlier numbering, see SUPERSEDES
down_revision = "orders_0002"

CHANGE = r"""
alter table customer_order
    add column fulfilment text not null default 'choreography',
    add column paid_by uuid,
    add column sent_as uuid,
    add constraint customer_order_fulfilment check (fulfilment in ('choreography', 'orchestration'));
alter table customer_order alter column fulfilment drop default;

comment on column customer_order.lines is
    'What was ordered: array of {sku, quantity, unit_price, tax_rate, tax, digital}, amounts as exact decimal strings; '
    'the two of the tax are absent where the order said nothing of it, and digital where it is false. Kept in the row '
    'because lines are written once, with the order, and only ever read with it.';
comment on column customer_order.fulfilment is 'Who sees to it: each service by events, or one by commands.';
comment on column customer_order.paid_by is
    'Payment that was heard of by choreography, also after the order was decided. No event of the order tells of it.';
comment on column customer_order.sent_as is
    'Shipment that was heard of by choreography, also after the order was decided. No event of the order tells of it.';

grant update (paid_by, sent_as) on customer_order to orders;
"""


def upgrade() -> None:
    operations.execute(CHANGE)
