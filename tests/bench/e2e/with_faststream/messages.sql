create table inbox (
    consumer   text not null,
    message_id text not null,
    primary key (consumer, message_id)
);
-- what `make_outbox_table` of faststream-outbox describes
create table outbox (
    id               bigserial primary key,
    queue            varchar(255) not null,
    payload          bytea not null,
    headers          jsonb,
    attempts_count   bigint not null default 0,
    deliveries_count bigint not null default 0,
    created_at       timestamptz not null default now(),
    next_attempt_at  timestamptz not null default now(),
    first_attempt_at timestamptz,
    last_attempt_at  timestamptz,
    acquired_at      timestamptz,
    acquired_token   uuid,
    timer_id         varchar(255),
    constraint outbox_lease_ck check ((acquired_token is null) = (acquired_at is null))
);
create unique index outbox_timer_id_uq on outbox (queue, timer_id) where timer_id is not null;
create index outbox_leased_idx on outbox (queue, next_attempt_at, id) where acquired_token is not null;
create index outbox_pending_idx on outbox (queue, next_attempt_at, id) where acquired_token is null;
