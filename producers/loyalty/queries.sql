-- Statements of the loyalty service.

-- name: find
select user_id, points, updated_at from account where user_id = %(user_id)s and signed_up_at is not null;

-- name: open
insert into account as known (user_id, signed_up_at)
select user_id, at from unnest(%(user_ids)s::uuid[], %(signed_up_at)s::timestamptz[]) as a (user_id, at)
on conflict (user_id) do update
set signed_up_at = excluded.signed_up_at;

-- name: add_points
insert into account as known (user_id, points, updated_at)
select user_id, added, at
from unnest(%(user_ids)s::uuid[], %(points)s::bigint[], %(updated_at)s::timestamptz[]) as a (user_id, added, at)
on conflict (user_id) do update
set points = known.points + excluded.points,
    updated_at = greatest(known.updated_at, excluded.updated_at);
