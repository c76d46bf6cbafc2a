-- Statements of reconciliation about the outbox. They name no schema: search_path leads to each service's own.

-- name: share_snapshot
select pg_export_snapshot();

-- name: wal_end
-- Nothing that is visible in this transaction was committed behind it.
select pg_current_wal_insert_lsn()::text;

-- name: topics
select distinct topic from outbox order by topic;

-- name: topics_in
select distinct topic from outbox
where (%(since)s::timestamptz is null or occurred_at >= %(since)s::timestamptz)
    and (%(until)s::timestamptz is null or occurred_at < %(until)s::timestamptz)
    and (%(first_id)s::uuid is null or id >= %(first_id)s::uuid);

-- name: rows
-- In the order of their ids, so that they can be laid beside the records of Kafka, which are sorted likewise.
select :outbox_row: from outbox
where topic = %(topic)s
    and (%(since)s::timestamptz is null or occurred_at >= %(since)s::timestamptz)
    and (%(until)s::timestamptz is null or occurred_at < %(until)s::timestamptz)
    and (%(first_id)s::uuid is null or id >= %(first_id)s::uuid)
    and (hashtextextended(aggregate_id, 0) & 9223372036854775807) %% %(shards)s::bigint = %(shard)s::bigint
order by id;

-- name: rows_of_ids
select :outbox_row: from outbox where topic = %(topic)s and id = any(%(ids)s::uuid[]);

-- name: messages_kept_since
-- Days of messages are dropped after a while: the beginning of the first that is kept, null when none was ever dropped.
select min((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\)'))[1]::timestamptz)
from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
where i.inhparent = to_regclass('outbox_message');
