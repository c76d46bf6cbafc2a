-- Statements of the test kit: what is to be seen of a consumer in its service's schema.

-- name: sent
select :outbox_row: from outbox order by seq;

-- name: delayed
select topic, aggregate_id, payload, not_before, :outbox_written: from outbox_delayed order by not_before, number;

-- name: parked
select
    m.topic, m.partition, m."offset", s.key, m.message_id::text as message_id, m.type, m.reason, m.error_class,
    m.error_text, m.traceback, s.attempts, s.status = 'dead' as is_dead
from parked_message as m join parked_sequence as s using (sequence_id)
where s.consumer = %(consumer)s
order by s.sequence_id, m.parked_id;

-- name: progress
select coalesce(sum(applied), 0)::bigint as applied, coalesce(sum(duplicates), 0)::bigint as duplicates
from consumer_offset
where consumer = %(consumer)s;

-- name: pass_time
update parked_sequence set next_attempt_at = next_attempt_at - make_interval(secs => %(seconds)s);

-- name: pass_time_of_delayed
update outbox_delayed set due_at = due_at - make_interval(secs => %(seconds)s);

-- name: tables
-- Those of the service itself, without what the runtime, the outbox and the migrations keep.
select relname
from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
    and relname not in (
        'inbox', 'inbox_window', 'consumer_offset', 'parked_sequence', 'parked_message', 'parked_action',
        'aggregate_snapshot', 'saga_instance', 'saga_run', 'saga_log', 'saga_definition', 'saga_action',
        'saga_lock', 'saga_stash', 'saga_unlock', 'kept_answer'
    )
    and relname not like 'alembic_version_%'
    and relname not like 'outbox%'
order by relname;

-- name: leaves
-- Whatever has rows of its own.
select relname from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r';

-- name: references
select 1 from pg_constraint
where contype = 'f' and conrelid::regclass::text = any(select quote_ident(name) from unnest(%(tables)s::text[]) as name)
limit 1;

-- name: triggers
select relname, tgname
from pg_trigger join pg_class as c on c.oid = tgrelid
where relnamespace = current_schema()::regnamespace and relname = any(%(tables)s) and not tgisinternal
    and tgenabled = 'O';

-- name: columns
select attname from pg_attribute
where attrelid = quote_ident(%(table)s)::regclass and attnum > 0 and not attisdropped and attgenerated = ''
order by attnum;

-- name: sequences
select quote_ident(sequencename), coalesce(last_value, start_value), last_value is not null
from pg_sequences
where schemaname = current_schema();
