"""Orders say what the customer's standing has done to their prices."""

from cdc.migrations import operations

revision = "orders_0008"
down_revision = "orders_0007"

CHANGE = r"""
alter table customer_order add column pricing jsonb check (jsonb_typeof(pricing) = 'object');

comment on column customer_order.pricing is
    'What the customer''s tier has done to the unit prices: {tier, is_fallback, discount}, the discount as an exact '
    'decimal string; null where the customer is no user, or was not asked about.';
"""


def upgrade() -> None:
    operations.execute(CHANGE)
