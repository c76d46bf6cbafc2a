-- Statements of locks and of the stash.

-- name: lock
-- Whoever finds a target locked keeps the row from being deleted until what he stashes is committed: so nothing is put
-- behind a lock that is gone meanwhile, and of those that wait the first one is served first.
with wanted as (
    select
        a.*,
        exists (
            select from saga_stash as s
            where s.consumer = %(consumer)s and s.saga_id = a.saga_id and s.replies_to = a.replies_to
                and s.stash_id < %(turn)s
        ) as waits
    from unnest(
        %(lock)s::text[], %(target)s::text[], %(saga_id)s::text[], %(replies_to)s::text[], %(held_until)s::timestamptz[]
    ) with ordinality as a (lock, target, saga_id, replies_to, held_until, number)
),
locked as (
    insert into saga_lock as known (consumer, lock, target, saga_id, replies_to, locked_at, held_until)
    select distinct on (lock, target) %(consumer)s, lock, target, saga_id, replies_to, %(now)s, held_until
    from wanted as w
    where not waits
        and (
            not exists (
                select from saga_stash as s
                where s.consumer = %(consumer)s and s.lock = w.lock and s.target = w.target and s.stash_id < %(turn)s
            )
            or exists (
                select from saga_lock as l
                where l.consumer = %(consumer)s and l.lock = w.lock and l.target = w.target
                    and l.saga_id = w.saga_id and l.replies_to = w.replies_to
            )
        )
    order by lock, target, number
    on conflict (consumer, lock, target) do update
    set held_until = case
        when (known.saga_id, known.replies_to) = (excluded.saga_id, excluded.replies_to)
            then greatest(known.held_until, excluded.held_until)
        else known.held_until
    end
    returning lock, target, saga_id, replies_to
)
select coalesce(not w.waits and (l.saga_id, l.replies_to) = (w.saga_id, w.replies_to), false)
from wanted as w left join locked as l using (lock, target)
order by w.number;

-- name: stash
insert into saga_stash (
    consumer, lock, target, saga_id, replies_to, topic, partition, "offset", recorded_at, key, message_id, type,
    header_names, header_values, value, expires_at, stashed_at
)
values (
    %(consumer)s, %(lock)s, %(target)s, %(saga_id)s, %(replies_to)s, %(topic)s, %(partition)s, %(offset)s,
    %(recorded_at)s, %(key)s, %(message_id)s, %(type)s, %(header_names)s, %(header_values)s, %(value)s, %(expires_at)s,
    %(now)s
);

-- name: drop_stashed
-- Before `unlock` and not with it: one that is just being taken out of the stash is waited for, and its lock seen then.
delete from saga_stash as s
using unnest(%(lock)s::text[], %(saga_id)s::text[], %(replies_to)s::text[]) as a (lock, saga_id, replies_to)
where s.consumer = %(consumer)s and s.lock = a.lock and s.saga_id = a.saga_id
    and (a.replies_to = '' or s.replies_to = a.replies_to);

-- name: unlock
delete from saga_lock as l
using unnest(%(lock)s::text[], %(saga_id)s::text[], %(replies_to)s::text[]) as a (lock, saga_id, replies_to)
where l.consumer = %(consumer)s and l.lock = a.lock and l.saga_id = a.saga_id
    and (a.replies_to = '' or l.replies_to = a.replies_to);

-- name: take_back
delete from saga_lock
where consumer = %(consumer)s and held_until <= %(now)s
returning lock, target, saga_id, replies_to, locked_at;

-- name: take_ready
-- The first of its saga, whose target is its saga's already, or free with nobody before it; and what has expired.
select
    s.stash_id, s.lock, s.target, s.saga_id, s.replies_to, s.message_id::text, s.type, s.expires_at,
    s.stashed_at, s.topic, s.partition, s."offset", s.recorded_at, s.key, s.value, s.header_names, s.header_values
from saga_stash as s
where s.consumer = %(consumer)s
    and (
        s.expires_at <= %(now)s
        or (
            not exists (
                select from saga_stash as e
                where e.consumer = s.consumer and e.saga_id = s.saga_id and e.replies_to = s.replies_to
                    and e.stash_id < s.stash_id
            )
            and coalesce(
                (
                    select (l.saga_id, l.replies_to) = (s.saga_id, s.replies_to) from saga_lock as l
                    where l.consumer = s.consumer and l.lock = s.lock and l.target = s.target
                ),
                not exists (
                    select from saga_stash as e
                    where e.consumer = s.consumer and e.lock = s.lock and e.target = s.target
                        and e.stash_id < s.stash_id
                )
            )
        )
    )
order by s.stash_id
limit %(limit)s
for update of s skip locked;

-- name: behind
-- What lies behind a command of a saga in the stash, and came by the same topic.
select
    stash_id, lock, target, saga_id, replies_to, message_id::text, type, expires_at,
    stashed_at, topic, partition, "offset", recorded_at, key, value, header_names, header_values
from saga_stash
where consumer = %(consumer)s and saga_id = %(saga_id)s and replies_to = %(replies_to)s
    and stash_id > %(stash_id)s and topic = %(topic)s
order by stash_id
for update;

-- name: unstash
delete from saga_stash where stash_id = %(stash_id)s;

-- name: held
-- What is locked at the consumers of a schema, by whom, and who waits for it; also what is waited for and not locked any more.
select
    consumer, lock, target, l.saga_id, l.replies_to, l.locked_at, l.held_until,
    count(s.stash_id) as waiting, min(s.stashed_at) as waiting_since, min(s.expires_at) as next_expires_at,
    (array_agg(s.saga_id order by s.stash_id) filter (where s.saga_id is not null))[:%(shown)s] as waiting_sagas
from saga_lock as l full join saga_stash as s using (consumer, lock, target)
group by consumer, lock, target, l.saga_id, l.replies_to, l.locked_at, l.held_until
order by waiting desc, coalesce(l.locked_at, min(s.stashed_at)), consumer, lock, target
limit %(limit)s;

-- name: unlock_by_hand
-- Only from the saga that was looked at: another one may have it by now.
with freed as (
    delete from saga_lock
    where consumer = %(consumer)s and lock = %(lock)s and target = %(target)s and saga_id = %(saga_id)s
        and replies_to = %(replies_to)s
    returning consumer, lock, target, saga_id, replies_to, locked_at
)
insert into saga_unlock (consumer, lock, target, saga_id, replies_to, locked_at, actor, why)
select freed.*, %(actor)s, %(why)s from freed
returning unlock_id;

-- name: held_target
select
    l.consumer, l.lock, l.target, l.saga_id, l.replies_to, l.locked_at, l.held_until,
    count(s.stash_id) as waiting, min(s.stashed_at) as waiting_since, min(s.expires_at) as next_expires_at,
    (array_agg(s.saga_id order by s.stash_id) filter (where s.saga_id is not null))[:%(shown)s] as waiting_sagas
from saga_lock as l left join saga_stash as s using (consumer, lock, target)
where l.lock = %(lock)s and l.target = %(target)s
group by l.consumer, l.lock, l.target;

-- name: waiting
select count(*), extract(epoch from clock_timestamp() - min(stashed_at))::float8 from saga_stash where consumer = %(consumer)s;
