-- Statements about what a request set in motion. They name no schema: each service's search_path leads to its own.

-- name: correlations_of_aggregate
-- By the index `outbox_event_version`.
select distinct correlation_id from outbox
where kind = 'event' and aggregate_type = any(%(kinds)s) and aggregate_id = %(id)s
order by correlation_id desc
limit %(limit)s;

-- name: correlations_of_message
-- By the primary key of events, and by `outbox_flow` of other messages.
select correlation_id from outbox where kind = 'event' and id = %(id)s::uuid
union select correlation_id from outbox where kind = 'message' and id = %(id)s::uuid
union select correlation_id from outbox_delayed where id = %(id)s::uuid;

-- name: messages
-- By `outbox_flow`.
select
    id as message_id, type, topic, aggregate_id as key, aggregate_type as aggregate, aggregate_version as version, seq,
    correlation_id, causation_id, began_at, occurred_at as written_at, expires_at, traceparent
from outbox
where correlation_id = %(correlation_id)s
order by seq
limit %(limit)s;

-- name: delayed
select
    id as message_id, type, topic, aggregate_id as key, aggregate_type as aggregate, aggregate_version as version,
    null::bigint as seq, correlation_id, causation_id, null::timestamptz as began_at, null::timestamptz as written_at,
    expires_at, not_before, traceparent
from outbox_delayed
where correlation_id = %(correlation_id)s
order by not_before, number
limit %(limit)s;

-- name: set_aside
-- In the relay's schema.
select id, reason from set_aside where id = any(%(ids)s);

-- name: taken
select consumer, message_id from inbox
where consumer in (select consumer from inbox_window) and message_id = any(%(ids)s);

-- name: parked
select
    m.message_id, m.consumer, m.topic, m.partition, m."offset", m.recorded_at, m.parked_at, m.error_class,
    left(m.error_text, 500) as error_text, s.attempts,
    case when m.reason = 'behind' then 'behind' else s.status end as status
from parked_message as m join parked_sequence as s using (sequence_id)
where m.message_id = any(%(ids)s)
union all
select
    s.message_id, s.consumer, s.topic, s.partition, s."offset", s.recorded_at, s.stashed_at, '',
    concat_ws(' ', s.lock, s.target, 'is held by saga ' || l.saga_id), 0, 'stashed'
from saga_stash as s left join saga_lock as l using (consumer, lock, target)
where s.message_id = any(%(ids)s);

-- name: skipped
select consumer, message_id, topic, partition, "offset", recorded_at, at, actor, why from parked_action
where action = 'skip' and message_id = any(%(ids)s);

-- name: positions
select consumer, topic, partition, next_offset from consumer_offset;
