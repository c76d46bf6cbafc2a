-- Statements of the orders worker.

-- name: orders_as_placed
-- For a replay: every order as it was when it was placed, before anything was heard of its fulfilment. What the customer
-- cancelled stays so: no message has led to that.
insert into customer_order (
    order_id, customer_id, status, currency, lines, total, placed_at, updated_at, version, fulfilment, pricing,
    cancel_reason
)
select
    order_id,
    customer_id,
    case when by_customer then 'cancelled' else 'pending' end,
    currency,
    lines,
    total,
    placed_at,
    case when by_customer then updated_at else placed_at end,
    case when by_customer then version else 1 end,
    fulfilment,
    pricing,
    case when by_customer then cancel_reason end
from (
    select *, cancel_reason is not distinct from 'customer_request' as by_customer from :live.customer_order
) as live;
