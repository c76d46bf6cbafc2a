-- Statements of those who work on parked messages by hand. They name no schema: search_path leads to the service's own.

-- name: find
-- Parked messages, oldest first. Every filter that is null lets all pass. The totals are of what passes, whatever the limit.
with numbered as (
    select
        parked_id,
        row_number() over (partition by sequence_id order by parked_id) as number,
        count(*) over (partition by sequence_id) as messages
    from parked_message
),
passing as (
    select
        m.parked_id, m.sequence_id, m.consumer, m.topic, m.partition, m."offset", s.key, m.type, m.message_id,
        m.recorded_at, m.parked_at, m.failed_at, m.reason, m.error_class, left(m.error_text, 500) as error_text,
        m.edited, s.status, s.attempts, s.next_attempt_at, n.number, n.messages - n.number as behind
    from parked_message as m
        join parked_sequence as s using (sequence_id)
        join numbered as n using (parked_id)
    where (n.number = 1 or %(waiting)s)
        and (%(consumer)s::text is null or m.consumer = %(consumer)s)
        and (%(topic)s::text is null or m.topic = %(topic)s)
        and (%(partition)s::int is null or m.partition = %(partition)s)
        and (%(offset)s::bigint is null or m."offset" = %(offset)s)
        and (%(type)s::text is null or m.type = %(type)s)
        and (%(key)s::bytea is null or s.key = %(key)s)
        and (%(message_id)s::uuid is null or m.message_id = %(message_id)s)
        and (%(error)s::text is null or strpos(lower(m.error_class || ': ' || m.error_text), lower(%(error)s)) > 0)
        and (%(reason)s::text is null or m.reason = %(reason)s)
        and (%(status)s::text is null or s.status = %(status)s)
        and (%(older_than)s::interval is null or m.parked_at < clock_timestamp() - %(older_than)s)
        and (%(newer_than)s::interval is null or m.parked_at > clock_timestamp() - %(newer_than)s)
)
select
    *,
    count(*) over () as all_messages,
    count(*) filter (where number = 1 and status = 'dead') over () as all_dead,
    count(*) filter (where number = 1 and status = 'retrying') over () as all_retrying,
    coalesce(sum(behind) filter (where number = 1) over (), 0)::bigint as all_behind
from passing
order by parked_at, parked_id
limit %(limit)s;

-- name: groups
-- What is first of its key, by where and how it failed; one error of each stands for all.
with first as (
    select sequence_id, min(parked_id) as parked_id, count(*) - 1 as behind from parked_message group by sequence_id
)
select
    m.consumer, coalesce(m.type, '') as type, m.error_class,
    (array_agg(left(m.error_text, 500) order by m.parked_id desc))[1] as error_text,
    count(*) filter (where s.status = 'dead') as dead, count(*) filter (where s.status = 'retrying') as retrying,
    sum(f.behind)::bigint as behind, min(m.parked_at) as oldest
from first as f join parked_message as m using (parked_id) join parked_sequence as s on s.sequence_id = f.sequence_id
group by m.consumer, coalesce(m.type, ''), m.error_class;

-- name: content
select header_names, header_values, value, original_value, error_text, traceback
from parked_message where parked_id = %(parked_id)s;

-- name: sequence
-- The other messages of a sequence, in their order.
select topic, partition, "offset", type
from parked_message
where sequence_id = %(sequence_id)s and parked_id <> %(parked_id)s
order by parked_id
limit %(limit)s;

-- name: actions
-- What was done, newest first.
select
    action_id, at, action, actor, why, consumer, topic, partition, "offset", recorded_at, key, message_id,
    type, header_names, header_values, value, new_value, reason, error_class, error_text, traceback
from parked_action
where (%(consumer)s::text is null or consumer = %(consumer)s)
    and (%(topic)s::text is null or topic = %(topic)s)
    and (%(partition)s::int is null or partition = %(partition)s)
    and (%(offset)s::bigint is null or "offset" = %(offset)s)
    and (%(key)s::bytea is null or key = %(key)s)
    and (%(action)s::text is null or action = %(action)s)
order by action_id desc
limit %(limit)s;

-- name: consumers
-- Whoever was ever at work in this schema.
select consumer from consumer_offset union select consumer from parked_sequence union select consumer from parked_action;

-- name: dead
select consumer, count(*) from parked_sequence where status = 'dead' group by consumer;

-- name: messages
select consumer, reason, count(*) from parked_message group by consumer, reason;

-- name: keys
select consumer, status, count(*) from parked_sequence group by consumer, status;

-- name: lock
-- Taken before anything is changed, by the worker that tries the sequence, by one that adds to it, and here.
select from parked_sequence where sequence_id = %(sequence_id)s for update;

-- name: first
select parked_id from parked_message where sequence_id = %(sequence_id)s order by parked_id limit 1;

-- name: note
-- Keeps what was done, and the message as it was; nothing when the message is gone.
insert into parked_action (
    action, actor, why, consumer, topic, partition, "offset", recorded_at, key, message_id, type,
    header_names, header_values, value, new_value, reason, error_class, error_text, traceback
)
select
    %(action)s, %(actor)s, %(why)s, m.consumer, m.topic, m.partition, m."offset", m.recorded_at, s.key, m.message_id,
    m.type, m.header_names, m.header_values, case when %(action)s <> 'retry' then m.value end, %(new_value)s,
    m.reason, m.error_class, m.error_text, m.traceback
from parked_message as m join parked_sequence as s using (sequence_id)
where m.parked_id = %(parked_id)s;

-- name: make_due
update parked_sequence
set status = 'retrying', attempts = 0,
    next_attempt_at = clock_timestamp() + make_interval(secs => %(delay_s)s::float8)
where sequence_id = %(sequence_id)s;

-- name: value
select value from parked_message where parked_id = %(parked_id)s;

-- name: edit
-- However often it is edited, what is kept as the original is what was delivered.
update parked_message
set original_value = case when edited then original_value else value end, value = %(new_value)s, edited = true
where parked_id = %(parked_id)s;

-- name: progress
-- How far retried sequences have come; those that are through are not there any more.
select s.sequence_id, s.attempts, f.topic, f.partition, f."offset", f.error_class, left(f.error_text, 500) as error_text
from parked_sequence as s
    cross join lateral (
        select topic, partition, "offset", error_class, error_text
        from parked_message as m
        where m.sequence_id = s.sequence_id
        order by parked_id
        limit 1
    ) as f
where s.sequence_id = any (%(sequence_ids)s);
