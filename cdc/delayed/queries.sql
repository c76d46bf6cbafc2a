-- Statements of delayed messages. They name no schema: each service's search_path leads to its own.

-- name: take
select id, attempts from outbox_delayed
where due_at <= clock_timestamp()
order by due_at, not_before, number
limit %(limit)s
for update skip locked;

-- name: publish
-- The transaction that writes them is none of a handler.
with due as (
    delete from outbox_delayed where id = any(%(ids)s) returning *
)
insert into outbox (kind, topic, aggregate_type, aggregate_id, payload, began_at, :outbox_written:)
select 'message', topic, aggregate_type, aggregate_id, payload, null, :outbox_written:
from due
order by not_before, number
returning id, topic, source, correlation_id, traceparent;

-- name: postpone
-- Without a pause they keep their place before what is due later.
update outbox_delayed
set attempts = attempts + 1,
    due_at = coalesce(now() + make_interval(secs => %(pause_s)s), due_at),
    error = %(error)s
where id = any(%(ids)s);

-- name: measure
select
    count(*), min(not_before), count(*) filter (where attempts > 0),
    (array_agg(error order by due_at desc) filter (where error <> ''))[1]
from outbox_delayed;
