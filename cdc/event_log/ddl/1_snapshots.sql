create table aggregate_snapshot (
    aggregate_type text        not null,
    aggregate_id   text        not null,
    version        bigint      not null,
    shape          text        not null,
    state          jsonb       not null,
    taken_at       timestamptz not null default clock_timestamp(),
    constraint aggregate_snapshot_pkey primary key (aggregate_type, aggregate_id),
    constraint aggregate_snapshot_version check (version >= 1),
    constraint aggregate_snapshot_state check (jsonb_typeof(state) = 'object')
);

comment on table aggregate_snapshot is
    'States of aggregates as of a version, so that later events are enough to go on from. May be emptied at any time: '
    'whatever is missing is worked out from outbox_event.';
comment on column aggregate_snapshot.shape is
    'What the program that wrote the state understood by it; a program that understands something else ignores the row.';

grant select, insert, update on aggregate_snapshot to :role;
