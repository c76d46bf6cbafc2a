-- Statements of the reports service.

-- name: waiting
-- How many jobs nobody has finished, counted no further than to the limit.
select count(*) from (
    select from job where status in ('queued', 'running') limit %(limit)s
) as waiting;

-- name: add
insert into job (job_id, request, total) values (%(job_id)s, %(request)s, %(total)s);

-- name: find
select
    job_id,
    request,
    status,
    generation,
    attempts,
    done,
    total,
    created_at,
    started_at,
    finished_at,
    expires_at,
    reason,
    media_type,
    bytes,
    digest,
    expires_at <= clock_timestamp() is true as is_expired
from job
where job_id = %(job_id)s;

-- name: cancel
-- What was worked out goes at once. Whoever works on it finds that he no longer may.
update job
set status = 'cancelled', finished_at = clock_timestamp(), expires_at = clock_timestamp()
where job_id = %(job_id)s and status in ('queued', 'running');

-- name: still_at_work
select job_id from job where job_id = any(%(job_ids)s) and status in ('queued', 'running');

-- name: chunk
select content
from job_chunk
where job_id = %(job_id)s and generation = %(generation)s and number = %(number)s;
