-- Statements of the orders worker.

-- name: orders_as_placed
-- For a replay: every order as it was when it was placed, before any payment was heard of.
insert into customer_order (
    order_id, customer_id, status, currency, lines, total, placed_at, updated_at, version
)
select order_id, customer_id, 'pending', currency, lines, total, placed_at, placed_at, 1
from :live.customer_order;
