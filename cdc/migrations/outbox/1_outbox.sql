create table outbox (
    id                uuid        not null,
    kind              text        not null,
    seq               bigint      generated always as identity,
    topic             text        not null,
    source            text        not null default :source,
    specversion       text        not null default '1.0',
    aggregate_type    text        not null,
    aggregate_id      text        not null,
    aggregate_version bigint,
    type              text        not null,
    payload           bytea       not null,
    correlation_id    uuid        not null,
    causation_id      uuid,
    traceparent       text,
    occurred_at       timestamptz not null default clock_timestamp()
) partition by list (kind);

-- The event log: kept for good. The version constraint is the optimistic lock of every aggregate.
create table outbox_event partition of outbox (
    constraint outbox_event_id primary key (id),
    constraint outbox_event_version unique (aggregate_type, aggregate_id, aggregate_version),
    constraint outbox_event_has_version check (aggregate_version >= 1 and aggregate_version is not null)
) for values in ('event');

-- Commands, replies and signs of life: worthless once delivered, so days of them can be dropped whole (cdc/retention).
create table outbox_message partition of outbox (
    constraint outbox_message_has_no_version check (aggregate_version is null)
) for values in ('message') partition by range (occurred_at);
create table outbox_message_default partition of outbox_message default;

-- A message is a fact: the service adds and reads, nobody changes or removes.
grant select, insert on outbox to :role;

comment on column outbox.specversion is
    'version of CloudEvents; a column because Connect can add no header whose text looks like a number';
