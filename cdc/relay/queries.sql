-- Statements of a relay. Those on `progress` run with the search_path at the relay's schema, those on `outbox` at a service's.
-- Advisory locks are of the class that the table `progress` has as its oid: lock n is the shard n, and lock 1000000 is shared
-- by all relays that live.

-- name: live
select pg_advisory_lock_shared('progress'::regclass::oid::integer, 1000000);

-- name: state
-- How many relays live, and which shards nobody holds.
with held as (
    select objid::bigint as number
    from pg_locks
    where locktype = 'advisory' and objsubid = 2 and granted and classid = 'progress'::regclass
      and database = (select oid from pg_database where datname = current_database())
)
select (select count(*) from held where number = 1000000),
       array(select distinct shard from progress),
       array(select distinct shard from progress where shard not in (select number from held) order by 1);

-- name: touch
select 1;

-- name: try_lock
select pg_try_advisory_lock('progress'::regclass::oid::integer, %(shard)s::integer);

-- name: unlock
select pg_advisory_unlock('progress'::regclass::oid::integer, %(shard)s::integer);

-- name: enter
-- Put our name on the shards that we hold; the rows that had another one are what we have to learn.
update progress set holder = %(holder)s, held_since = now()
where shard = any(%(shards)s) and holder is distinct from %(holder)s
returning outbox, shard, since::text, upto::text, done;

-- name: leave
update progress set holder = null, held_since = null
where shard = any(%(shards)s) and holder = %(holder)s;

-- name: mark
update progress set since = %(since)s, upto = %(upto)s, done = %(done)s, marked_at = now()
where outbox = %(outbox)s and shard = any(%(shards)s) and holder = %(holder)s;

-- name: unpublished
-- What a snapshot does not see was inserted by transactions that were to come, from its xmax on, or that were under way, its
-- xip, which are smaller. Each is looked up in the index outbox_transaction, and `offset 0` keeps the planner to it: it
-- knows nothing of a day that was not analyzed yet, and would read all of that each time, by an `or` of both as well as
-- along seq. Rows of before the migration have transaction 0 and are in no index.
select
    :outbox_row:
from (
    select *
    from outbox
    where transaction_id > '0' and transaction_id >= pg_snapshot_xmax(%(since)s::pg_snapshot)
    union all
    select *
    from outbox
    where transaction_id > '0' and transaction_id = any(array(select pg_snapshot_xip(%(since)s::pg_snapshot)))
    offset 0
) as unseen
where (%(upto)s::pg_snapshot is null or pg_visible_in_snapshot(transaction_id, %(upto)s::pg_snapshot))
  and seq > %(done)s
  and (
      %(shards)s::bigint[] is null
      or (hashtextextended(aggregate_id, 0) & 9223372036854775807) %% %(total)s::bigint = any(%(shards)s::bigint[])
  )
order by seq
limit %(limit)s;

-- name: pending
-- How much of some shards is still to be published, and since when the oldest of it waits; looked up as above.
select count(*), min(occurred_at)
from (
    select transaction_id, seq, aggregate_id, occurred_at
    from outbox
    where transaction_id > '0' and transaction_id >= pg_snapshot_xmax(%(since)s::pg_snapshot)
    union all
    select transaction_id, seq, aggregate_id, occurred_at
    from outbox
    where transaction_id > '0' and transaction_id = any(array(select pg_snapshot_xip(%(since)s::pg_snapshot)))
) as unseen
where not (
      %(upto)s::pg_snapshot is not null
      and pg_visible_in_snapshot(transaction_id, %(upto)s::pg_snapshot) and seq <= %(done)s
  )
  and (%(seen_in)s::pg_snapshot is null or pg_visible_in_snapshot(transaction_id, %(seen_in)s::pg_snapshot))
  and (hashtextextended(aggregate_id, 0) & 9223372036854775807) %% %(total)s::bigint = any(%(shards)s::bigint[]);

-- name: all_progress
select outbox, shard, since::text, upto::text, done, case when pid is null then null else holder end, pid
from progress
left join pg_locks on locktype = 'advisory' and objsubid = 2 and granted and classid = 'progress'::regclass
    and objid::bigint = shard
    and database = (select oid from pg_database where datname = current_database())
order by outbox, shard;

-- name: aside
-- The keys of which something is set aside, whether it is for their topic, and the number of the first row; no number where
-- that is too large to be tried.
select
    outbox, topic, aggregate_id, bool_or(because = 'topic'),
    nullif(min(seq), min(seq) filter (where octet_length(payload) > %(largest)s))
from set_aside where shard = any(%(shards)s)
group by outbox, topic, aggregate_id;

-- name: set_aside
insert into set_aside (outbox, shard, because, reason, :outbox_row:)
values (
    %(outbox)s, (hashtextextended(%(aggregate_id)s, 0) & 9223372036854775807) %% %(total)s::bigint, %(because)s, %(reason)s,
    :outbox_row_values:
)
on conflict do nothing;

-- name: aside_first
select
    outbox, :outbox_row:
from set_aside join unnest(%(outboxes)s::text[], %(numbers)s::bigint[]) as first (outbox, seq) using (outbox, seq)
order by outbox, seq;

-- name: aside_next
-- What is left of some keys, up to what is too large.
select
    outbox, :outbox_row:
from unnest(%(outboxes)s::text[], %(topics)s::text[], %(keys)s::text[]) as freed (outbox, topic, aggregate_id)
    join set_aside as a using (outbox, topic, aggregate_id)
where hashtextextended(a.aggregate_id, 0) = hashtextextended(freed.aggregate_id, 0)
    and not exists (
        select from set_aside as b
        where b.outbox = a.outbox and b.topic = a.topic
            and hashtextextended(b.aggregate_id, 0) = hashtextextended(a.aggregate_id, 0)
            and b.aggregate_id = a.aggregate_id and b.seq <= a.seq and octet_length(b.payload) > %(largest)s
    )
order by outbox, seq
limit %(limit)s;

-- name: forget_aside
delete from set_aside using unnest(%(outboxes)s::text[], %(numbers)s::bigint[]) as done (outbox, seq)
where set_aside.outbox = done.outbox and set_aside.seq = done.seq;

-- name: aside_summary
-- By outbox and topic: how much is set aside, and why the first of it.
select
    outbox, topic, count(*), count(distinct aggregate_id), min(set_aside_at),
    (array_agg(id order by seq) filter (where because <> 'behind'))[1],
    (array_agg(because order by seq) filter (where because <> 'behind'))[1],
    (array_agg(reason order by seq) filter (where because <> 'behind'))[1]
from set_aside
group by outbox, topic
order by outbox, topic;

-- name: leave_out
delete from set_aside where id = %(id)s returning outbox, topic, aggregate_id;
