-- Statements of the worker of reports.

-- name: note
-- What came again, or is told of in a second event, is known already.
insert into sale (order_id, what, at, currency, amount, reason)
select * from unnest(
    %(order_id)s::uuid[], %(what)s::text[], %(at)s::timestamptz[], %(currency)s::text[],
    %(amount)s::numeric[], %(reason)s::text[]
)
on conflict do nothing;

-- name: note_lines
insert into sale_line (order_id, sku, amount)
select * from unnest(%(order_id)s::uuid[], %(sku)s::text[], %(amount)s::numeric[])
on conflict do nothing;

-- name: of_day
select
    currency,
    null as sku,
    sum(orders) filter (where what = 'placed') as placed,
    sum(orders) filter (where what = 'confirmed') as confirmed,
    sum(orders) filter (where what = 'cancelled') as cancelled,
    jsonb_object_agg(reason, orders) filter (where what = 'cancelled') as reasons,
    sum(amount) filter (where what = 'confirmed') as revenue,
    sum(amount) filter (where what = 'refunded') as refunds
from (
    select currency, what, reason, count(*) as orders, sum(amount) as amount
    from sale
    where
        at >= %(begin)s and at < %(end)s
        and (%(currencies)s::text[] = '{}' or currency = any(%(currencies)s))
    group by currency, what, reason
) as happened
group by currency
order by currency collate "C";

-- name: of_day_by_sku
select
    currency,
    sku,
    sum(orders) filter (where what = 'placed') as placed,
    sum(orders) filter (where what = 'confirmed') as confirmed,
    sum(orders) filter (where what = 'cancelled') as cancelled,
    jsonb_object_agg(reason, orders) filter (where what = 'cancelled') as reasons,
    sum(amount) filter (where what = 'confirmed') as revenue,
    sum(amount) filter (where what = 'refunded') as refunds
from (
    select currency, sku, what, reason, count(*) as orders, sum(sale_line.amount) as amount
    from sale join sale_line using (order_id)
    where
        at >= %(begin)s and at < %(end)s
        and (%(currencies)s::text[] = '{}' or currency = any(%(currencies)s))
        and sku = any(%(skus)s)
    group by currency, sku, what, reason
) as happened
group by currency, sku
order by currency collate "C", sku collate "C";

-- name: accept
update job
set due_at = clock_timestamp()
where job_id = %(job_id)s and status = 'queued' and due_at is null;

-- name: await_asked
-- What cannot be seen yet can be run into: the key waits for the transaction that writes the same. This is rolled back.
insert into job (job_id, request, total) values (%(job_id)s, '{}', 1)
on conflict do nothing;

-- name: due
select job_id
from job
where status in ('queued', 'running') and due_at <= clock_timestamp()
order by due_at
limit 1;

-- name: claim
update job
set status = 'running',
    generation = generation + 1,
    attempts = attempts + 1,
    started_at = coalesce(started_at, clock_timestamp()),
    due_at = clock_timestamp() + %(lease)s
where job_id = %(job_id)s and status in ('queued', 'running') and due_at <= clock_timestamp()
returning generation, attempts, done, request;

-- name: renew
update job
set due_at = clock_timestamp() + %(lease)s
where job_id = %(job_id)s and generation = %(generation)s and status = 'running'
returning job_id;

-- name: add_part
with held as (
    update job
    set done = done + 1, attempts = 0, due_at = clock_timestamp() + %(lease)s
    where job_id = %(job_id)s and generation = %(generation)s and status = 'running' and done = %(number)s
    returning job_id
)
insert into job_part (job_id, number, rows) select job_id, %(number)s, %(rows)s from held
returning job_id;

-- name: part
select rows from job_part where job_id = %(job_id)s and number = %(number)s;

-- name: add_chunk
with held as (
    update job
    set due_at = clock_timestamp() + %(lease)s
    where job_id = %(job_id)s and generation = %(generation)s and status = 'running'
    returning job_id, generation
)
insert into job_chunk (job_id, generation, number, content)
select job_id, generation, %(number)s, %(content)s from held
returning job_id;

-- name: finish
update job
set status = 'done',
    finished_at = clock_timestamp(),
    expires_at = clock_timestamp() + %(kept)s,
    media_type = %(media_type)s,
    bytes = %(bytes)s,
    digest = %(digest)s
where job_id = %(job_id)s and generation = %(generation)s and status = 'running'
returning job_id;

-- name: fail
update job
set status = 'failed', finished_at = clock_timestamp(), expires_at = clock_timestamp(), reason = %(reason)s
where job_id = %(job_id)s and generation = %(generation)s and status = 'running'
returning job_id;

-- name: put_off
update job
set due_at = clock_timestamp() + %(pause)s
where job_id = %(job_id)s and generation = %(generation)s and status = 'running'
returning job_id;

-- name: release
update job
set due_at = clock_timestamp(), attempts = greatest(0, attempts - 1)
where job_id = %(job_id)s and generation = %(generation)s and status = 'running'
returning job_id;

-- name: expired
select job_id
from job
where holds and expires_at <= clock_timestamp()
order by expires_at
limit 1
for no key update skip locked;

-- name: take_away_parts
delete from job_part
where ctid = any(array(select ctid from job_part where job_id = %(job_id)s limit %(limit)s));

-- name: take_away_chunks
delete from job_chunk
where ctid = any(array(select ctid from job_chunk where job_id = %(job_id)s limit %(limit)s));

-- name: taken_away
update job set holds = false where job_id = %(job_id)s;

-- name: old
select job_id
from job
where not holds and finished_at < clock_timestamp() - %(remembered)s
order by finished_at
limit %(limit)s
for update skip locked;

-- name: forget
delete from job where job_id = any(%(job_ids)s);
