-- Statements of the orders service. They name no schema: search_path leads to it.

-- name: add
insert into customer_order (
    order_id, customer_id, status, currency, lines, total, placed_at, updated_at, version, fulfilment,
    pricing
) values (
    %(order_id)s, %(customer_id)s, %(status)s, %(currency)s, %(lines)s, %(total)s,
    %(placed_at)s, %(updated_at)s, %(version)s, %(fulfilment)s,
    %(pricing)s
);

-- name: get_many
select
    order_id, customer_id, status, currency, lines, total, placed_at, updated_at, version,
    payment_id, cancel_reason, fulfilment, pricing
from customer_order
where order_id = any(%(order_ids)s);

-- name: page
-- Newest first. Each index has the orders of one status in this order: a page is put together of the first of each.
select found.*
from
    unnest(%(statuses)s::text[]) as wanted (status),
    lateral (
        select
            order_id, status, customer_id, currency, total, placed_at, updated_at, version, payment_id,
            cancel_reason, fulfilment
        from customer_order
        where
            customer_order.status = wanted.status
            and placed_at >= %(placed_from)s::timestamptz
            and (placed_at, order_id) < (%(before)s::timestamptz, %(before_id)s::uuid)
        order by placed_at desc, order_id desc
        limit %(limit)s
    ) as found
order by placed_at desc, order_id desc
limit %(limit)s;

-- name: page_of_customer
select found.*
from
    unnest(%(statuses)s::text[]) as wanted (status),
    lateral (
        select
            order_id, status, customer_id, currency, total, placed_at, updated_at, version, payment_id,
            cancel_reason, fulfilment
        from customer_order
        where
            customer_id = %(customer_id)s
            and customer_order.status = wanted.status
            and placed_at >= %(placed_from)s::timestamptz
            and (placed_at, order_id) < (%(before)s::timestamptz, %(before_id)s::uuid)
        order by placed_at desc, order_id desc
        limit %(limit)s
    ) as found
order by placed_at desc, order_id desc
limit %(limit)s;

-- name: changed
-- Those that have come past a version that was seen of them. Each is found by its id.
select
    order_id, customer_id, status, currency, lines, total, placed_at, updated_at, customer_order.version,
    payment_id, cancel_reason, fulfilment, pricing
from unnest(%(order_ids)s::uuid[], %(versions)s::bigint[]) as seen (order_id, version)
join customer_order using (order_id)
where customer_order.version > seen.version;

-- name: ids
select order_id from customer_order;

-- name: lock
-- The weaker lock is enough to change the row once, and lets foreign keys refer to it meanwhile.
select
    order_id, customer_id, status, currency, lines, total, placed_at, updated_at, version,
    payment_id, cancel_reason, fulfilment, pricing
from customer_order
where order_id = any(%(order_ids)s)
order by order_id
for no key update;

-- name: note
-- Locked in the order in which others lock several.
with locked as (
    select order_id from customer_order where order_id = any(%(order_id)s) order by order_id for no key update
)
update customer_order as known
set paid_by = coalesce(known.paid_by, heard.paid_by), sent_as = coalesce(known.sent_as, heard.sent_as)
from unnest(%(order_id)s::uuid[], %(paid_by)s::uuid[], %(sent_as)s::uuid[]) as heard (order_id, paid_by, sent_as)
    join locked using (order_id)
where known.order_id = heard.order_id
returning
    known.order_id, customer_id, status, currency, lines, total, placed_at, updated_at, version,
    payment_id, cancel_reason, fulfilment, pricing, known.paid_by, known.sent_as;

-- name: update
update customer_order
set status = %(status)s,
    payment_id = %(payment_id)s,
    cancel_reason = %(cancel_reason)s,
    updated_at = %(updated_at)s,
    version = %(version)s
where order_id = %(order_id)s;
