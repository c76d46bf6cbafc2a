-- name: admit
insert into inbox (consumer, message_id)
select %(consumer)s, unnest(%(ids)s::bigint[])
on conflict do nothing
returning message_id;

-- name: send
insert into outbox (topic, key, type, payload)
select %(topic)s, key, %(type)s, payload from unnest(%(keys)s::text[], %(payloads)s::jsonb[]) as each (key, payload);

-- name: place
insert into orders (order_id, customer_id, lines, total)
values (%(order_id)s, %(customer_id)s, %(lines)s, %(total)s);

-- name: pay
insert into payment (order_id, amount)
select order_id, amount from unnest(%(orders)s::uuid[], %(amounts)s::numeric[]) as each (order_id, amount)
on conflict do nothing;

-- name: reserve
-- Fails where less is there than is wanted.
with wanted as (
    select sku, sum(quantity) as units
    from unnest(%(skus)s::text[], %(quantities)s::int[]) as each (sku, quantity)
    group by sku
), locked as (
    select sku from stock where sku = any (%(skus)s::text[]) order by sku for update
)
update stock set available = available - units
from wanted join locked using (sku)
where stock.sku = wanted.sku;

-- name: set_aside
insert into reservation (order_id, lines)
select order_id, lines from unnest(%(orders)s::uuid[], %(lines)s::jsonb[]) as each (order_id, lines)
on conflict do nothing;

-- name: ship
insert into shipment (order_id) select unnest(%(orders)s::uuid[]) on conflict do nothing;

-- name: confirm
update orders set status = 'confirmed' where order_id = any (%(orders)s::uuid[]) and status = 'pending';

-- name: count
insert into orders_per_minute as known (minute, status, orders)
select date_trunc('minute', clock_timestamp()), status, count(*) from unnest(%(statuses)s::text[]) as each (status)
group by 2 order by 2
on conflict (minute, status) do update set orders = known.orders + excluded.orders;

-- name: take
delete from outbox
where id in (select id from outbox order by id limit 500 for update skip locked)
returning id, topic, key, type, payload::text;
