-- Statements of retention. They name no schema: search_path leads to it.

-- name: maintain
select name, first_day, last_day, bytes, fate, why from maintain_outbox(%(publisher)s, %(kept)s, false);

-- name: plan
select name, first_day, last_day, bytes, fate, why from outbox_plan(%(publisher)s, %(kept)s);

-- name: work_in
select set_config('search_path', quote_ident(%(schema)s), false);

-- name: has_answers
-- Only REST services keep answers.
select to_regprocedure('remove_expired_answers(int)') is not null;

-- name: remove_answers
select remove_expired_answers(%(at_most)s);

-- name: sizes
-- What events and messages take on disk, and how many rows Postgres believes there are: null if it has not looked yet.
select
    kind, sum(pg_total_relation_size(oid))::bigint as bytes,
    sum(reltuples) filter (where reltuples >= 0)::bigint as estimate
from pg_class
join (
    select inhrelid, 'message' as kind from pg_inherits where inhparent = 'outbox_message'::regclass
    union all
    select 'outbox_event'::regclass, 'event'
) as partitions on oid = inhrelid
group by kind;

-- name: count_events
select count(*) from outbox where kind = 'event';

-- name: event_ends
-- The first and the last by their ids, which sort by time and have an index.
select
    (select occurred_at from outbox where kind = 'event' order by id limit 1),
    (select occurred_at from outbox where kind = 'event' order by id desc limit 1);

-- name: count_messages
select count(*), min(occurred_at), max(occurred_at) from outbox where kind = 'message';

-- name: slot
select
    confirmed_flush_lsn::text as confirmed, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint as behind_bytes
from pg_replication_slots
where slot_name = %(slot)s and database = current_database();

-- name: hold
insert into outbox_hold (reason) values (%(reason)s) on conflict do nothing;

-- name: release
delete from outbox_hold where reason = %(reason)s;
