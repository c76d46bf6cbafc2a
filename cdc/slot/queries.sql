-- Statements about the replication slot; any role may ask them.

-- name: slot
select
    active,
    active_pid,
    wal_status,
    invalidation_reason,
    restart_lsn::text,
    confirmed_flush_lsn::text,
    pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as retained_bytes,
    pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint as unconfirmed_bytes,
    safe_wal_size as safe_bytes,
    inactive_since,
    failover,
    plugin,
    coalesce(database = current_database(), false) as is_here,
    case when current_setting('max_slot_wal_keep_size') <> '-1' then
        pg_size_bytes(current_setting('max_slot_wal_keep_size'))
    end as limit_bytes
from pg_replication_slots
where slot_name = %s;

-- name: open_transactions
-- Who holds up a new slot: transactions that have written and not ended, oldest first.
select pid, usename, now() - xact_start as age
from pg_stat_activity
where backend_xid is not null and pid <> pg_backend_pid()
order by xact_start
limit 3;

-- name: drop_slot
select pg_drop_replication_slot(%s);

-- name: copy_slot
-- Begins where the other does: whatever is committed behind that snapshot is delivered by it.
select pg_copy_logical_replication_slot(%s, %s, false);

-- name: unpublished
-- Asked in the schema of an outbox. Ids begin with the time at which they were made, so that the first of them lead to the
-- rows without reading all others.
select count(*), min(occurred_at) from outbox
where id >= %(first_id)s and occurred_at > %(since)s and occurred_at <= %(until)s
    and (hashtextextended(aggregate_id, 0) & 9223372036854775807) %% %(shards)s::bigint = %(shard)s::bigint;

-- name: obstacles
-- Of those, the ones that will not get to Kafka as they are; 260 bytes are what the outbox's trigger counts for headers.
with waiting as (
    select
        id, seq, topic, topic <> all(%(topics)s) as is_topic_missing,
        260 + octet_length(payload)::bigint + octet_length(aggregate_id) + octet_length(type)
        + coalesce(octet_length(traceparent), 0) as size
    from outbox
    where id >= %(first_id)s and occurred_at > %(since)s
        and (hashtextextended(aggregate_id, 0) & 9223372036854775807) %% %(shards)s::bigint = %(shard)s::bigint
)
select
    current_schema, topic, count(*), (array_agg(id order by seq))[1], max(size), is_topic_missing
from waiting
where is_topic_missing or size > %(most)s
group by topic, is_topic_missing
order by topic, is_topic_missing;
