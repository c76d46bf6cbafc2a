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
    seq, id, topic, aggregate_id, payload, type, source, specversion, occurred_at, correlation_id, causation_id,
    aggregate_version, traceparent
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
select seq, id::text, topic, aggregate_id, type, aggregate_version, payload from outbox order by seq;

-- name: outside
select party, action, key, details, count(*)::int as times
from replay_outside
group by party, action, key, details
order by min(number);

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
from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relname not in (
        'inbox', 'inbox_window', 'consumer_offset', 'parked_sequence', 'parked_message', 'parked_action', 'outbox',
        'replay_outside', 'replay_key', 'replay_run', 'replay_message'
    )
    and c.relname not like 'alembic_version_%%'
group by c.oid, c.relname
order by c.relname;
