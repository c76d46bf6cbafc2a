-- Statements of the inventory service. Each is about many rows, in one order, so that transactions which meet wait for
-- each other and not in a circle.

-- name: note_ordered
insert into reservation as known (reservation_id, order_id, status, items, paid, updated_at, version)
select reservation_id, order_id, 'open', items, false, %(at)s, 0
from unnest(%(reservation_ids)s::uuid[], %(order_ids)s::uuid[], %(items)s::jsonb[]) as a (reservation_id, order_id, items)
order by order_id
on conflict (order_id) do update
set items = excluded.items, updated_at = excluded.updated_at
where known.status = 'open' and known.items is null
returning reservation_id, order_id, status, items, missing, paid, updated_at, version;

-- name: note_paid
insert into reservation as known (reservation_id, order_id, status, items, paid, updated_at, version)
select reservation_id, order_id, 'open', null, true, %(at)s, 0
from unnest(%(reservation_ids)s::uuid[], %(order_ids)s::uuid[]) as a (reservation_id, order_id)
order by order_id
on conflict (order_id) do update
set paid = true, updated_at = excluded.updated_at
where known.status = 'open' and not known.paid
returning reservation_id, order_id, status, items, missing, paid, updated_at, version;

-- name: ask
-- By command, all is known at once; an order of which something is known already is left as it is.
insert into reservation (reservation_id, order_id, status, items, paid, updated_at, version)
select reservation_id, order_id, 'open', items, true, %(at)s, 0
from unnest(%(reservation_ids)s::uuid[], %(order_ids)s::uuid[], %(items)s::jsonb[]) as a (reservation_id, order_id, items)
order by order_id
on conflict (order_id) do nothing
returning reservation_id, order_id, status, items, missing, paid, updated_at, version;

-- name: find
select reservation_id, order_id, status, items, missing, paid, updated_at, version
from reservation
where order_id = any(%(order_ids)s);

-- name: settle
update reservation as known
set status = a.status,
    missing = array(select jsonb_array_elements_text(a.missing)),
    updated_at = %(at)s,
    version = a.version
from unnest(
    %(reservation_ids)s::uuid[], %(statuses)s::text[], %(missing)s::jsonb[], %(versions)s::bigint[]
) as a (reservation_id, status, missing, version)
where known.reservation_id = a.reservation_id;

-- name: release
-- What is undone before it is done is remembered, and will not be done.
insert into reservation as known (reservation_id, order_id, status, items, paid, updated_at, version)
select reservation_id, order_id, 'withdrawn', null, false, %(at)s, 0
from unnest(%(reservation_ids)s::uuid[], %(order_ids)s::uuid[]) as a (reservation_id, order_id)
order by order_id
on conflict (order_id) do update
set status = case known.status when 'reserved' then 'released' else 'withdrawn' end,
    updated_at = excluded.updated_at,
    version = known.version + case known.status when 'reserved' then %(events)s else 0 end
where known.status in ('open', 'reserved')
returning reservation_id, order_id, status, items, missing, paid, updated_at, version;

-- name: ship
-- Locked before its status is looked at: that it is reserved may be written and not be seen yet, and who locks waits.
with found as (
    select order_id, status from reservation where order_id = any(%(order_ids)s) order by order_id for update
)
update reservation as known
set status = 'shipped', updated_at = %(at)s
from found
where known.order_id = found.order_id and found.status = 'reserved'
returning
    known.reservation_id, known.order_id, known.status, known.items, known.missing, known.paid, known.updated_at,
    known.version;

-- name: stock_by_default
insert into stock (sku, stocked, on_hand, reserved, shipped)
select sku, %(units)s, %(units)s, 0, 0
from unnest(%(skus)s::text[]) as a (sku)
order by sku
on conflict (sku) do nothing;

-- name: lock_stock
select sku, on_hand
from stock
where sku = any(%(skus)s)
order by sku
for no key update;

-- name: on_hand
select sku, on_hand
from stock
where sku = any(%(skus)s);

-- name: move
with locked as (
    select sku from stock where sku = any(%(skus)s) order by sku for no key update
)
update stock as known
set on_hand = known.on_hand + a.on_hand,
    reserved = known.reserved + a.reserved,
    shipped = known.shipped + a.shipped
from unnest(%(skus)s::text[], %(on_hand)s::bigint[], %(reserved)s::bigint[], %(shipped)s::bigint[])
    as a (sku, on_hand, reserved, shipped)
    join locked using (sku)
where known.sku = a.sku;

-- name: top_up
insert into stock as known (sku, stocked, on_hand, reserved, shipped)
values (%(sku)s, %(units)s, %(units)s, 0, 0)
on conflict (sku) do update
set stocked = known.stocked + excluded.stocked,
    on_hand = known.on_hand + excluded.on_hand;
