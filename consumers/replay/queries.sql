-- Statements of replays. They name no schema: search_path leads to the one that is meant.

-- name: log_range
-- What the event log has of a topic, between two moments that may be null.
select count(*), min(seq), max(seq), min(occurred_at)
from outbox
where kind = 'event' and topic = %(topic)s
    and (%(start)s::timestamptz is null or occurred_at >= %(start)s)
    and (%(end)s::timestamptz is null or occurred_at < %(end)s);

-- name: log_records
-- The order of seq is that in which the events of an aggregate were committed: each was inserted after the one before.
select
    :outbox_row:
from outbox
where kind = 'event' and topic = %(topic)s and seq >= %(begin)s and seq < %(stop)s
    and (%(start)s::timestamptz is null or occurred_at >= %(start)s)
    and (%(end)s::timestamptz is null or occurred_at < %(end)s)
order by seq;

-- name: note_outside
insert into replay_outside (party, action, key, details)
values (%(party)s, %(action)s, %(key)s, %(details)s);

-- name: note_keys
insert into replay_key select distinct unnest(%(keys)s::text[]) on conflict do nothing;

-- name: sandboxes
-- Schemas that say of themselves that they are a sandbox, oldest first.
select nspname, obj_description(oid, 'pg_namespace')
from pg_namespace
where obj_description(oid, 'pg_namespace') like '{"tailrace_sandbox":%%'
order by nspname;

-- name: size
select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where nspname = %(schema)s and relkind in ('r', 'i', 'S', 't');

-- name: sandbox_totals
select
    coalesce(sum(applied), 0)::bigint as applied, coalesce(sum(duplicates), 0)::bigint as duplicates,
    (select count(*) from parked_message where consumer = %(consumer)s) as parked
from consumer_offset
where consumer = %(consumer)s;

-- name: sandbox_parked
select m.topic, m.partition, m."offset", s.key, m.message_id::text, m.type, m.reason, m.error_class, m.error_text
from parked_message as m join parked_sequence as s using (sequence_id)
where m.consumer = %(consumer)s
order by m.reason = 'behind', m.parked_id
limit %(limit)s;

-- name: outgoing
select seq, id::text, topic, aggregate_id, type, aggregate_version, null as not_before, payload from outbox
union all
select number, id::text, topic, aggregate_id, type, null, not_before::text, payload from outbox_delayed
order by not_before nulls first, seq;

-- name: outside
select party, action, key, details, count(*)::int as times
from replay_outside
group by party, action, key, details
order by min(number);

-- name: consumer_positions
select topic, partition, next_offset from consumer_offset where consumer = %(consumer)s;

-- name: live_positions
select topic, partition, next_offset from :live.consumer_offset where consumer = %(consumer)s;

-- name: lock_positions
-- Until the end of the transaction the consumer applies nothing, wherever its workers are.
select topic, partition, next_offset from consumer_offset
where consumer = %(consumer)s
order by topic, partition
for no key update;

-- name: lock_parked
-- Until the end of the transaction nothing that is parked is tried, edited or skipped.
select sequence_id from parked_sequence where consumer = %(consumer)s order by sequence_id for update;

-- name: lock_stash
-- Nor is anything taken out of the stash.
select stash_id from saga_stash where consumer = %(consumer)s order by stash_id for update;

-- name: waiting_ids
select message_id::text from parked_message where consumer = %(consumer)s and message_id is not null
union
select message_id::text from saga_stash where consumer = %(consumer)s;

-- name: amendments
-- What people did that changes what a message comes to: skipped, it has no effect; edited, the effect of the new value.
select message_id::text, action, new_value
from parked_action
where consumer = %(consumer)s and action in ('skip', 'edit') and message_id is not null
order by action_id;

-- name: forget_positions
delete from consumer_offset;

-- name: gaps
-- Ids that the live consumer has taken, from an id on, and the one that is made beside it has not.
select live.message_id::text
from :live.inbox as live
where live.consumer = %(consumer)s and live.message_id >= %(since)s::uuid
    and not exists (
        select from inbox as made
        where made.consumer = live.consumer and made.message_id = live.message_id
    );

-- name: taken_and_handled
select message_id::text from inbox
where consumer = %(consumer)s and message_id = any (%(ids)s::uuid[])
    and not exists (
        select from parked_message as parked
        where parked.consumer = inbox.consumer and parked.message_id = inbox.message_id
    )
    and not exists (
        select from saga_stash as stashed
        where stashed.consumer = inbox.consumer and stashed.message_id = inbox.message_id
    );

-- name: log_by_id
select
    :outbox_row:
from outbox
where kind = 'event' and topic = %(topic)s and id = any (%(ids)s::uuid[])
order by seq;

-- name: own_tables
-- The service's own tables, without what the runtime, the outbox, the migrations and the replay keep: name, primary key,
-- columns, and those of them that cannot be compared as they are.
select
    c.relname,
    coalesce((
        select array_agg(a.attname::text order by array_position(i.indkey::int2[], a.attnum))
        from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
        where i.indrelid = c.oid and i.indisprimary
    ), '{}') as key,
    array_agg(a.attname::text order by a.attnum) as columns,
    coalesce(
        array_agg(a.attname::text) filter (where a.atttypid = any ('{json,xml,point,polygon,box,path}'::regtype[])), '{}'
    ) as incomparable
from pg_class as c
    join pg_attribute as a
        on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relname not in (
        'inbox', 'inbox_window', 'consumer_offset', 'parked_sequence', 'parked_message', 'parked_action',
        'saga_instance', 'saga_run', 'saga_log', 'saga_definition', 'saga_action',
        'saga_lock', 'saga_stash', 'saga_unlock', 'kept_answer',
        'aggregate_snapshot', 'replay_outside', 'replay_key', 'replay_run', 'replay_message'
    )
    and c.relname not like 'outbox%%'
    and c.relname not like 'alembic_version_%%'
group by c.oid, c.relname
order by c.relname;

-- name: admit
-- Ids that the live consumer has not taken yet; one that its worker is taking just now is waited for.
insert into inbox (consumer, message_id)
select %(consumer)s, id from unnest(%(ids)s::uuid[]) as delivered (id)
on conflict do nothing
returning message_id::text;

-- name: admit_by_force
-- Ids that this replay has not handled yet, whatever the inbox says.
insert into replay_message (run_id, message_id, topic)
select %(run_id)s, id, %(topic)s from unnest(%(ids)s::uuid[]) as delivered (id)
on conflict do nothing
returning message_id::text;

-- name: hold_positions
-- Keeps the consumer's worker from applying anything of these partitions until the end of the transaction; the positions
-- stay what they are. After the ids, as the worker does it, so that the two do not wait for each other in a circle.
select next_offset from consumer_offset
where consumer = %(consumer)s and topic = %(topic)s
    and (%(partition)s::int is null or partition = %(partition)s)
order by partition
for no key update;

-- name: some_parked
select exists (select from parked_sequence where consumer = %(consumer)s and topic = %(topic)s);

-- name: begin_run
insert into replay_run (run_id, consumer, actor, why, forced, selection)
values (%(run_id)s, %(consumer)s, %(actor)s, %(why)s, %(forced)s, %(selection)s)
on conflict do nothing;

-- name: end_run
update replay_run
set ended_at = clock_timestamp(), applied = coalesce(applied, 0) + %(applied)s,
    duplicates = coalesce(duplicates, 0) + %(duplicates)s, parked = coalesce(parked, 0) + %(parked)s
where run_id = %(run_id)s;
