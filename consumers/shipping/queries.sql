-- Statements of the shipping service. Each is about many rows, in one order, so that transactions which meet wait for
-- each other and not in a circle.

-- name: create
insert into shipment (shipment_id, order_id, status, reason, items, updated_at, version)
select shipment_id, order_id, status, reason, items, %(at)s, version
from unnest(
    %(shipment_ids)s::uuid[], %(order_ids)s::uuid[], %(statuses)s::text[], %(reasons)s::text[], %(items)s::jsonb[],
    %(versions)s::bigint[]
) as a (shipment_id, order_id, status, reason, items, version)
order by order_id
on conflict (order_id) do nothing
returning shipment_id, order_id, status, reason, items, updated_at, version;

-- name: cancel
-- What is undone before it is done is remembered, and will not be done.
insert into shipment as known (shipment_id, order_id, status, items, updated_at, version)
select shipment_id, order_id, 'withdrawn', null, %(at)s, 0
from unnest(%(shipment_ids)s::uuid[], %(order_ids)s::uuid[]) as a (shipment_id, order_id)
order by order_id
on conflict (order_id) do update
set status = 'cancelled', updated_at = excluded.updated_at, version = known.version + %(events)s
where known.status = 'created'
returning shipment_id, order_id, status, reason, items, updated_at, version;

-- name: find
select shipment_id, order_id, status, reason, items, updated_at, version
from shipment
where order_id = any(%(order_ids)s);
