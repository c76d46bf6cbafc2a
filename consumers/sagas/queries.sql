-- Statements of sagas. They name no schema: each service's search_path leads to its own.

-- name: load
-- In one order for all, so that no two transactions wait for each other.
select
    saga, version, saga_id, correlation_id, started_at, updated_at, state::text, steps::text, status, reason, revision,
    generations
from saga_instance
where saga_id = any (%(ids)s)
order by saga_id, saga
for update;

-- name: await_begun
-- What cannot be seen yet can be run into: the key of a row waits for the transaction that writes the same. What this
-- inserts is rolled back.
insert into saga_instance (
    saga, saga_id, version, status, reason, correlation_id, state, steps, revision, started_at, updated_at
)
select saga, saga_id, 0, 'abandoned', '', gen_random_uuid(), '{}', '{}', 0, now(), now()
from unnest(%(ids)s::text[]) as i (saga_id), unnest(%(sagas)s::text[]) as s (saga)
order by saga_id, saga
on conflict do nothing;

-- name: write
-- A row that somebody else has written meanwhile is left alone; the caller counts.
insert into saga_instance (
    saga, saga_id, version, status, reason, correlation_id, state, steps, next_deadline, revision, generations,
    started_at, updated_at
)
select
    w.saga, w.saga_id, w.version, w.status, w.reason, w.correlation_id, w.state::jsonb, w.steps::jsonb, w.next_deadline,
    w.revision + 1, w.generations, w.started_at, w.updated_at
from unnest(
    %(saga)s::text[], %(saga_id)s::text[], %(version)s::int[], %(status)s::text[], %(reason)s::text[],
    %(correlation_id)s::uuid[], %(state)s::text[], %(steps)s::text[], %(next_deadline)s::timestamptz[],
    %(revision)s::bigint[], %(generations)s::int[], %(started_at)s::timestamptz[], %(updated_at)s::timestamptz[]
) as w (
    saga, saga_id, version, status, reason, correlation_id, state, steps, next_deadline, revision, generations,
    started_at, updated_at
)
order by w.saga_id, w.saga
on conflict (saga_id, saga) do update
set version = excluded.version,
    status = excluded.status,
    reason = excluded.reason,
    state = excluded.state,
    steps = excluded.steps,
    next_deadline = excluded.next_deadline,
    revision = excluded.revision,
    generations = excluded.generations,
    started_at = excluded.started_at,
    updated_at = excluded.updated_at
where saga_instance.revision = excluded.revision - 1;

-- name: note
insert into saga_log (saga, saga_id, at, what, step, type, message_id, detail, state)
select e.saga, e.saga_id, e.at, e.what, e.step, e.type, e.message_id, e.detail, e.state::jsonb
from unnest(
    %(saga)s::text[], %(saga_id)s::text[], %(at)s::timestamptz[], %(what)s::text[], %(step)s::text[], %(type)s::text[],
    %(message_id)s::uuid[], %(detail)s::text[], %(state)s::text[]
) with ordinality as e (saga, saga_id, at, what, step, type, message_id, detail, state, position)
order by e.position;

-- name: take_passed
select saga, saga_id, correlation_id, steps::text from saga_instance
where next_deadline <= %(now)s and saga = any (%(sagas)s)
order by next_deadline
limit %(limit)s
for update skip locked;

-- name: rearm
update saga_instance as i
set steps = r.steps::jsonb, next_deadline = r.next_deadline, revision = i.revision + 1
from unnest(
    %(saga)s::text[], %(saga_id)s::text[], %(steps)s::text[], %(next_deadline)s::timestamptz[]
) as r (saga, saga_id, steps, next_deadline)
where i.saga = r.saga and i.saga_id = r.saga_id;

-- name: request
insert into saga_action (saga, saga_id, verb, step, newest, actor, why)
values (%(saga)s, %(saga_id)s, %(verb)s, %(step)s, %(newest)s, %(actor)s, %(why)s)
returning action_id;

-- name: find
select
    saga, saga_id, version, status, reason, correlation_id, started_at, updated_at, next_deadline, state, steps
from saga_instance
where (%(saga)s::text is null or saga = %(saga)s)
    and (%(saga_id)s::text is null or saga_id = %(saga_id)s)
    and (%(status)s::text[] is null or status = any (%(status)s))
    and (%(unchanged_for)s::interval is null or updated_at < clock_timestamp() - %(unchanged_for)s)
order by updated_at
limit %(limit)s;

-- name: shape
select shape from saga_definition where saga = %(saga)s and version = %(version)s;

-- name: log
select at, what, step, type, message_id, detail from saga_log
where saga = %(saga)s and saga_id = %(saga_id)s
order by number;

-- name: actions
select action_id, verb, step, newest, actor, why, requested_at, done_at, outcome from saga_action
where saga = %(saga)s and saga_id = %(saga_id)s
order by action_id;

-- name: figures
-- All lines that one transaction wrote have one xmin.
with meant as (
    select saga, saga_id, version, status, steps, started_at, updated_at from saga_instance
    where (%(saga)s::text is null or saga = %(saga)s)
        and (
            status not in ('completed', 'compensated', 'abandoned')
            or (status in ('completed', 'compensated', 'abandoned') and updated_at > clock_timestamp() - %(since)s)
        )
), volume as (
    select m.saga, m.version, count(l.message_id) as messages, count(distinct l.xmin::text) as commits
    from meant as m join saga_log as l using (saga, saga_id)
    group by m.saga, m.version
), earlier as (
    select m.saga, m.version, count(*) as earlier_runs
    from meant as m join saga_run as r using (saga, saga_id)
    group by m.saga, m.version
)
select
    saga, version, status, count(*) as sagas,
    percentile_cont(0.5) within group (order by extract(epoch from updated_at - started_at)) as p50_s,
    percentile_cont(0.99) within group (order by extract(epoch from updated_at - started_at)) as p99_s,
    coalesce(max(messages), 0) as messages, coalesce(max(commits), 0) as commits,
    coalesce(max(earlier_runs), 0) as earlier_runs
from meant left join volume using (saga, version) left join earlier using (saga, version)
group by saga, version, status
order by saga, version, status;

-- name: step_figures
-- What an answer took is known where the step was not being undone when it came.
with meant as (
    select saga, saga_id, version, status, steps, started_at, updated_at from saga_instance
    where (%(saga)s::text is null or saga = %(saga)s)
        and (
            status not in ('completed', 'compensated', 'abandoned')
            or (status in ('completed', 'compensated', 'abandoned') and updated_at > clock_timestamp() - %(since)s)
        )
), stood as (
    select saga, version, step, jsonb_object_agg(status, sagas) as statuses
    from (
        select m.saga, m.version, e.key as step, e.value ->> 'status' as status, count(*) as sagas
        from meant as m cross join jsonb_each(m.steps) as e
        group by m.saga, m.version, e.key, e.value ->> 'status'
    ) as by_status
    group by saga, version, step
), noted as (
    select
        m.saga, m.version, l.step,
        count(*) filter (where l.what = 'asked') as attempts,
        count(*) filter (where l.what = 'asked to undo') as undo_attempts,
        count(*) filter (where l.what = 'no answer in time') as timeouts,
        min(l.at) filter (where l.what = 'asked') as asked_at,
        min(l.at) filter (where l.what = 'asked to undo') as turned_at,
        min(l.at) filter (where l.what in ('answered', 'refused')) as answered_at
    from meant as m join saga_log as l using (saga, saga_id)
    where l.step <> ''
    group by m.saga, m.version, m.saga_id, l.step
), timed as (
    select
        saga, version, step, sum(attempts) as attempts, sum(undo_attempts) as undo_attempts, sum(timeouts) as timeouts,
        percentile_cont(array[0.5, 0.99]) within group (order by extract(epoch from answered_at - asked_at))
            filter (where answered_at <= coalesce(turned_at, 'infinity')) as answer_s
    from noted
    group by saga, version, step
)
select
    saga, version, step, statuses, coalesce(attempts, 0)::bigint as attempts,
    coalesce(undo_attempts, 0)::bigint as undo_attempts, coalesce(timeouts, 0)::bigint as timeouts,
    answer_s[1] as p50_s, answer_s[2] as p99_s
from stood left join timed using (saga, version, step);

-- name: take_action
select action_id, saga, saga_id, verb, step, newest, actor || ': ' || why from saga_action
where done_at is null
order by action_id
limit 1
for update skip locked;

-- name: finish_action
update saga_action set done_at = %(now)s, outcome = %(outcome)s where action_id = %(action_id)s;

-- name: states
select distinct on (step) step, state::text from saga_log
where saga = %(saga)s and saga_id = %(saga_id)s and state is not null
order by step, number desc;

-- name: keep_run
insert into saga_run (saga, saga_id, run, version, status, reason, state, steps, started_at, ended_at)
select
    saga, saga_id,
    1 + (select count(*) from saga_run as r where r.saga = i.saga and r.saga_id = i.saga_id),
    version, status, reason, state, steps, started_at, updated_at
from saga_instance as i
where saga = %(saga)s and saga_id = %(saga_id)s;

-- name: runs
select run, version, status, reason, state, steps, started_at, ended_at from saga_run
where saga = %(saga)s and saga_id = %(saga_id)s
order by run;

-- name: take_ended
select saga, saga_id from saga_instance
where status in ('completed', 'compensated', 'abandoned') and updated_at < %(before)s
limit %(limit)s
for update skip locked;

-- name: forget
with gone as (
    delete from saga_instance as i
    using unnest(%(saga)s::text[], %(saga_id)s::text[]) as w (saga, saga_id)
    where i.saga = w.saga and i.saga_id = w.saga_id
    returning i.saga, i.saga_id
), runs as (
    delete from saga_run as r using gone where r.saga = gone.saga and r.saga_id = gone.saga_id
)
delete from saga_log as l using gone where l.saga = gone.saga and l.saga_id = gone.saga_id;

-- name: introduce
insert into saga_definition (saga, version, shape_hash, shape)
values (%(saga)s, %(version)s, %(shape_hash)s, %(shape)s)
on conflict do nothing;

-- name: shapes
select saga, version, shape_hash from saga_definition;

-- name: open_versions
select saga, version, count(*) from saga_instance
where status not in ('completed', 'compensated', 'abandoned')
group by saga, version
order by saga, version;

-- name: open
-- Of each saga that was ever introduced, how those stand that have not ended; a line without a status when there are none.
select s.saga, i.status, count(i.saga), extract(epoch from clock_timestamp() - min(i.updated_at))::float8
from (select distinct saga from saga_definition) as s
    left join saga_instance as i
    on i.saga = s.saga and i.status not in ('completed', 'compensated', 'abandoned')
group by s.saga, i.status;
