-- Statements of the event log. They name no schema: search_path leads to it. The log is read as part of `outbox`, which is what
-- a service may read; the kind leads to the one partition.

-- name: history
-- Of one aggregate, in the order of the index `outbox_event_version`.
select
    aggregate_type, aggregate_id, aggregate_version, id, type, topic, payload,
    correlation_id, causation_id, traceparent, occurred_at
from outbox
where kind = 'event' and aggregate_type = %(kind)s and aggregate_id = %(aggregate_id)s and aggregate_version >= %(from_version)s
order by aggregate_version;

-- name: histories
-- Of all aggregates of one kind, one after the other, in the order of the same index.
select
    aggregate_type, aggregate_id, aggregate_version, id, type, topic, payload,
    correlation_id, causation_id, traceparent, occurred_at
from outbox
where kind = 'event' and aggregate_type = %(kind)s
order by aggregate_id, aggregate_version;

-- name: count_events
select count(*) from outbox where kind = 'event' and aggregate_type = %(kind)s;

-- name: with_events
-- Which of some aggregates have an event at all.
select distinct aggregate_id
from outbox
where kind = 'event' and aggregate_type = %(kind)s and aggregate_id = any(%(aggregate_ids)s);

-- name: snapshots
-- One that stands for a version which the log does not have, as after a restore, is none.
select kept.aggregate_id, kept.version, kept.state
from aggregate_snapshot as kept
join outbox as event
    on event.kind = 'event'
    and event.aggregate_type = kept.aggregate_type
    and event.aggregate_id = kept.aggregate_id
    and event.aggregate_version = kept.version
where
    kept.aggregate_type = %(kind)s and kept.aggregate_id = any(%(aggregate_ids)s) and kept.shape = %(shape)s
    and kept.version <= coalesce(%(newest)s, kept.version);

-- name: snapshot_ids
select aggregate_id from aggregate_snapshot where aggregate_type = %(kind)s;

-- name: keep_snapshot
-- An older program may still run beside a newer one: each replaces what it cannot read, and none goes back in time.
insert into aggregate_snapshot as kept (aggregate_type, aggregate_id, version, shape, state)
values (%(kind)s, %(aggregate_id)s, %(version)s, %(shape)s, %(state)s)
on conflict (aggregate_type, aggregate_id) do update
set version = excluded.version, shape = excluded.shape, state = excluded.state, taken_at = clock_timestamp()
where kept.shape <> excluded.shape or kept.version < excluded.version;
