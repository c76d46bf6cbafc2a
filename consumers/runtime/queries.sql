-- Statements of the consumer runtime. They name no schema: each service's search_path leads to its own.

-- name: take
-- Everything that makes an effect happen once, in one round trip: the ids that this consumer sees for the first time (of an
-- id given twice, the first), and the position, which moves only if it is where the batch begins, and in the same topic.
with admitted as (
    insert into inbox (consumer, message_id)
    select %(consumer)s, id from unnest(%(ids)s::uuid[]) as delivered (id)
    on conflict do nothing
    returning message_id
),
counted as (
    select count(*) as new from admitted
),
moved as (
    update consumer_offset
    set next_offset = %(next_offset)s,
        applied = applied + new,
        duplicates = duplicates + %(delivered)s - new,
        updated_at = clock_timestamp()
    from counted
    where consumer = %(consumer)s and topic = %(topic)s and partition = %(partition)s
        and next_offset = %(base)s
        and (topic_id is null or topic_id = coalesce(%(topic_id)s, topic_id))
    returning 1
)
select
    exists (select from moved) as held,
    case when new < %(delivered)s then (select array_agg(message_id::text) from admitted) end as ids,
    exists (select from parked_sequence where consumer = %(consumer)s and topic = %(topic)s) as some_parked,
    new = %(delivered)s as all_new
from counted;

-- name: position
select next_offset, topic_id from consumer_offset
where consumer = %(consumer)s and topic = %(topic)s and partition = %(partition)s;

-- name: begin
insert into consumer_offset (consumer, topic, partition, next_offset, topic_id)
values (%(consumer)s, %(topic)s, %(partition)s, %(offset)s, %(topic_id)s)
on conflict do nothing;

-- name: adopt
update consumer_offset set topic_id = %(topic_id)s
where consumer = %(consumer)s and topic = %(topic)s and partition = %(partition)s and topic_id is null;

-- name: reset
update consumer_offset
set next_offset = %(offset)s,
    topic_id = %(topic_id)s,
    lost = lost + %(lost)s,
    reset_at = clock_timestamp(),
    reset_reason = %(reason)s,
    updated_at = clock_timestamp()
where consumer = %(consumer)s and topic = %(topic)s and partition = %(partition)s
    and next_offset = %(base)s;

-- name: move
update consumer_offset set next_offset = %(offset)s, updated_at = clock_timestamp()
where consumer = %(consumer)s and topic = %(topic)s and partition = %(partition)s
    and next_offset = %(base)s;

-- name: set_window
insert into inbox_window (consumer, kept) values (%(consumer)s, %(kept)s)
on conflict (consumer) do update set kept = excluded.kept;

-- name: maintain_inbox
select first_id::text, end_id::text from maintain_inbox();

-- name: parked_keys
-- Locked, so that nobody takes a sequence out while messages are put behind it.
select key from parked_sequence
where consumer = %(consumer)s and topic = %(topic)s
    and sha256(key) = any (array(select sha256(given) from unnest(%(keys)s::bytea[]) as given))
order by sequence_id
for update;

-- name: park
-- At the end of the key's sequence, which is begun when there is none. A record that is parked already stays as it is; in
-- a topic that was made anew, another message may lie at its offset.
with sequence as (
    insert into parked_sequence (consumer, topic, key, status, attempts, next_attempt_at)
    select
        %(consumer)s, %(topic)s, %(key)s,
        case when %(pause_s)s::float8 is null then 'dead' else 'retrying' end, 1,
        clock_timestamp() + make_interval(secs => %(pause_s)s::float8)
    where not exists (
        select from parked_message
        where consumer = %(consumer)s and topic = %(topic)s
            and partition = %(partition)s and "offset" = %(offset)s
            and message_id is not distinct from %(message_id)s::uuid
    )
    on conflict (consumer, topic, sha256(key)) do update set topic = excluded.topic
    returning sequence_id
)
insert into parked_message (
    sequence_id, consumer, topic, partition, "offset", recorded_at, message_id, type,
    header_names, header_values, value, reason, error_class, error_text, traceback, failed_at
)
select
    sequence_id, %(consumer)s, %(topic)s, %(partition)s, %(offset)s, %(recorded_at)s, %(message_id)s, %(type)s,
    %(header_names)s, %(header_values)s, %(value)s, %(reason)s, %(error_class)s, %(error_text)s, %(traceback)s,
    case when %(reason)s <> 'behind' then clock_timestamp() end
from sequence;

-- name: take_due
select sequence_id, attempts from parked_sequence
where consumer = %(consumer)s and status = 'retrying' and next_attempt_at <= clock_timestamp()
order by next_attempt_at
limit 1
for update skip locked;

-- name: parked_messages
select
    m.parked_id, m.message_id is not null or m.reason <> 'behind', m.parked_at,
    m.topic, m.partition, m."offset", m.recorded_at, s.key, m.value, m.header_names, m.header_values
from parked_message as m join parked_sequence as s using (sequence_id)
where sequence_id = %(sequence_id)s
order by m.parked_id
limit %(limit)s;

-- name: remove_message
delete from parked_message where parked_id = %(parked_id)s;

-- name: remove_empty_sequence
delete from parked_sequence
where sequence_id = %(sequence_id)s
    and not exists (select from parked_message where sequence_id = %(sequence_id)s);

-- name: go_on_with_sequence
-- Its next message has not been tried yet.
update parked_sequence
set status = 'retrying', attempts = 0, next_attempt_at = clock_timestamp()
where sequence_id = %(sequence_id)s;

-- name: postpone
with first as (
    select parked_id from parked_message where sequence_id = %(sequence_id)s order by parked_id limit 1
),
noted as (
    update parked_message as m
    set reason = %(reason)s, error_class = %(error_class)s, error_text = %(error_text)s,
        traceback = %(traceback)s, failed_at = clock_timestamp()
    from first
    where m.parked_id = first.parked_id
)
update parked_sequence
set attempts = attempts + 1,
    status = case when %(pause_s)s::float8 is null then 'dead' else 'retrying' end,
    next_attempt_at = clock_timestamp() + make_interval(secs => %(pause_s)s::float8)
where sequence_id = %(sequence_id)s;
