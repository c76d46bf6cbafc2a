-- name: create
drop schema if exists handwritten cascade;
create schema handwritten;
set search_path to handwritten;
create table orders (
    order_id    uuid primary key,
    customer_id text not null,
    lines       jsonb not null,
    total       numeric(19, 4) not null,
    status      text not null default 'pending',
    placed_at   timestamptz not null default clock_timestamp()
);
create table payment (
    order_id uuid primary key,
    amount   numeric(19, 4) not null,
    paid_at  timestamptz not null default clock_timestamp()
);
create table orders_per_minute (
    minute timestamptz not null,
    status text not null,
    orders int not null,
    primary key (minute, status)
);
create table outbox (
    id      bigint generated always as identity primary key,
    topic   text not null,
    key     text not null,
    type    text not null,
    payload jsonb not null
);
create table inbox (
    consumer   text not null,
    message_id bigint not null,
    primary key (consumer, message_id)
);

-- name: admit
insert into handwritten.inbox (consumer, message_id)
select %(consumer)s, unnest(%(ids)s::bigint[])
on conflict do nothing
returning message_id;

-- name: send
insert into handwritten.outbox (topic, key, type, payload)
select %(topic)s, key, %(type)s, payload from unnest(%(keys)s::text[], %(payloads)s::jsonb[]) as each (key, payload);

-- name: place
insert into handwritten.orders (order_id, customer_id, lines, total)
values (%(order_id)s, %(customer_id)s, %(lines)s, %(total)s);

-- name: pay
insert into handwritten.payment (order_id, amount)
select order_id, amount from unnest(%(orders)s::uuid[], %(amounts)s::numeric[]) as each (order_id, amount)
on conflict do nothing;

-- name: confirm
update handwritten.orders set status = 'confirmed' where order_id = any (%(orders)s::uuid[]) and status = 'pending';

-- name: count
insert into handwritten.orders_per_minute as known (minute, status, orders)
select date_trunc('minute', clock_timestamp()), status, count(*) from unnest(%(statuses)s::text[]) as each (status)
group by 2 order by 2
on conflict (minute, status) do update set orders = known.orders + excluded.orders;

-- name: take
delete from handwritten.outbox
where id in (select id from handwritten.outbox order by id limit 500 for update skip locked)
returning id, topic, key, type, payload::text;
