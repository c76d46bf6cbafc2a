-- What every reference keeps, in a schema of its own.
drop schema if exists REFERENCE cascade;
create schema REFERENCE;
set search_path to REFERENCE;
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
create table stock (
    sku       text primary key,
    available bigint not null check (available >= 0)
);
insert into stock select 'article-' || number, 1000000 from generate_series(0, 99) as number;
create table reservation (
    order_id    uuid primary key,
    lines       jsonb not null,
    reserved_at timestamptz not null default clock_timestamp()
);
create table shipment (
    order_id    uuid primary key,
    shipment_id uuid not null default gen_random_uuid(),
    created_at  timestamptz not null default clock_timestamp()
);
create table orders_per_minute (
    minute timestamptz not null,
    status text not null,
    orders int not null,
    primary key (minute, status)
);
