-- Statements of the benchmark `consumer`. Those of the contenders name no schema, as a service's search_path leads to it.

-- name: create
-- The effect and, for the contenders that keep their own books, an inbox and offsets of the shape the runtime began with.
create table bench_effect (
    message_id   uuid           primary key,
    payment_id   uuid           not null,
    order_id     uuid           not null,
    currency     text           not null,
    amount       numeric(19, 4) not null,
    completed_at timestamptz    not null,
    written_at   timestamptz    not null default clock_timestamp()
);

create table bench_inbox (
    consumer   text not null,
    message_id uuid not null,
    primary key (consumer, message_id)
);

create table bench_offset (
    consumer    text   not null,
    topic       text   not null,
    partition   int    not null,
    next_offset bigint not null,
    primary key (consumer, topic, partition)
);

grant select, insert on bench_effect, bench_inbox to analytics;
grant select, insert, update on bench_offset to analytics;

-- name: empty
-- Every run begins alike; the runtime's own inbox is emptied with the others.
truncate bench_effect, bench_inbox, bench_offset, inbox;

-- name: effects
select count(*) from bench_effect;

-- name: rate
-- Effects per second, from the transaction that completes the first tenth of them to the one that completes nine tenths.
-- The first tenth is warm-up; and who reads ahead has more at hand in the beginning than at the end, where all is read.
-- A transaction counts at the moment of its last row.
with done as (
    select max(written_at) as at, count(*) as effects
    from bench_effect
    group by xmin::text
), counted as (
    select at, sum(effects) over (order by at) as so_far, sum(effects) over () as total
    from done
), measured as (
    select max(so_far) - min(so_far) as effects, extract(epoch from max(at) - min(at)) as seconds
    from (
        (select at, so_far from counted where 10 * so_far >= total order by at limit 1)
        union all
        (select at, so_far from counted where 10 * so_far >= 9 * total order by at limit 1)
    ) as ends
)
select effects::bigint, seconds::float8, (effects / nullif(seconds, 0))::float8
from measured;

-- name: latencies
-- Milliseconds from the event, which says when it was produced, to the row; the commit's own time is in none of them.
select 1000 * extract(epoch from written_at - completed_at)::float8
from bench_effect
where completed_at >= %(since)s;

-- name: admit_one
insert into bench_inbox (consumer, message_id)
values (%(consumer)s, %(message_id)s)
on conflict do nothing;

-- name: insert_one
insert into bench_effect (message_id, payment_id, order_id, currency, amount, completed_at)
values (%(message_id)s, %(payment_id)s, %(order_id)s, %(currency)s, %(amount)s, %(completed_at)s);

-- name: admit_many
insert into bench_inbox (consumer, message_id)
select %(consumer)s, id from unnest(%(ids)b::uuid[]) as delivered (id)
on conflict do nothing
returning message_id;

-- name: insert_many
-- Binary arrays: writing out thousands of values as text would cost more than inserting them.
insert into bench_effect (message_id, payment_id, order_id, currency, amount, completed_at)
select * from unnest(%b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::numeric[], %b::timestamptz[]);

-- name: advance
insert into bench_offset (consumer, topic, partition, next_offset)
values (%(consumer)s, %(topic)s, %(partition)s, %(next_offset)s)
on conflict (consumer, topic, partition) do update set next_offset = excluded.next_offset;
