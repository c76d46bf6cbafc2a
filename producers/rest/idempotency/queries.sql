-- Statements about the answers that are kept. They name no schema: search_path leads to it.

-- name: claim
-- Whoever has the lock is the one who works on this key, until the transaction ends; the table is written only with an answer.
-- It may have been let go of after this statement began, by a twin whose answer is not seen here: `keep` will meet it.
select request, status, headers, body, set_config('statement_timeout', %(statement_ms)s, true),
    pg_try_advisory_xact_lock(%(lock)s)
from (select) as one left join kept_answer on place = %(place)s and kept_until > clock_timestamp();

-- name: begin
begin;

-- name: wait_for
select set_config('lock_timeout', %(wait_ms)s::text, true);

-- name: lock
select pg_advisory_xact_lock(%(lock)s);

-- name: wait_no_more
select set_config('lock_timeout', '0', true);

-- name: find
select request, status, headers, body, set_config('statement_timeout', %(statement_ms)s, true)
from (select) as one left join kept_answer on place = %(place)s and kept_until > clock_timestamp();

-- name: savepoint
savepoint effect;

-- name: undo
rollback to savepoint effect;

-- name: keep
-- Where it does nothing, a twin was quicker: what has expired is no answer, and may be in the way.
insert into kept_answer (place, request, status, headers, body, kept_until)
values (%(place)s, %(request)s, %(status)s, %(headers)s, %(body)s, clock_timestamp() + %(kept_for)s)
on conflict (place) do update
set request = excluded.request, status = excluded.status, headers = excluded.headers, body = excluded.body,
    kept_until = excluded.kept_until
where kept_answer.kept_until <= clock_timestamp();
