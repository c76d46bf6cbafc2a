"""Orders can be listed, newest first, by status and by customer."""

from cdc.migrations import operations

revision = "orders_0009"
down_revision = "orders_0008"

CREATE = r"""
-- A large table is kept from being written to meanwhile; whoever cannot have that makes them before, concurrently.
create index if not exists customer_order_newest on customer_order (status, placed_at, order_id);
create index if not exists customer_order_of_customer on customer_order (customer_id, status, placed_at, order_id);

comment on index customer_order_newest is 'Serves lists of all orders, and of those of one status.';
comment on index customer_order_of_customer is 'Serves lists of the orders of one customer.';
comment on index customer_order_pkey is 'Serves what is asked for by its id.';
"""


def upgrade() -> None:
    operations.execute(CREATE)
