-- Statements of the payments service.

-- name: claim
-- One payment for an order: whoever comes second waits here for the transaction of the first.
insert into payment (payment_id, order_id, currency, amount, status, decline_reason, settled_at, version)
select payment_id, order_id, currency, amount, status, decline_reason, settled_at, version
from unnest(
    %(payment_id)s::uuid[], %(order_id)s::uuid[], %(currency)s::text[], %(amount)s::numeric[], %(status)s::text[],
    %(decline_reason)s::text[], %(settled_at)s::timestamptz[], %(version)s::bigint[]
) as a (payment_id, order_id, currency, amount, status, decline_reason, settled_at, version)
order by order_id
on conflict (order_id) do nothing
returning order_id;

-- name: lock
select payment_id, order_id, currency, amount, status, decline_reason, settled_at, version
from payment
where order_id = any(%(order_ids)s)
order by order_id
for no key update;

-- name: update
update payment as known
set status = a.status,
    decline_reason = a.decline_reason,
    settled_at = a.settled_at,
    version = a.version
from unnest(
    %(payment_id)s::uuid[], %(status)s::text[], %(decline_reason)s::text[], %(settled_at)s::timestamptz[],
    %(version)s::bigint[]
) as a (payment_id, status, decline_reason, settled_at, version)
where known.payment_id = a.payment_id;
