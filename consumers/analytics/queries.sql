-- Statements of the analytics projections: each adds to many minutes at once.

-- name: add_placed
insert into orders_per_minute as known (minute, currency, placed, confirmed, cancelled, revenue)
select minute, currency, added, 0, 0, 0
from unnest(%(minutes)s::timestamptz[], %(currencies)s::text[], %(counts)s::bigint[]) as a (minute, currency, added)
on conflict (minute, currency) do update
set placed = known.placed + excluded.placed;

-- name: add_confirmed
insert into orders_per_minute as known (minute, currency, placed, confirmed, cancelled, revenue)
select minute, currency, 0, added, 0, earned
from unnest(
    %(minutes)s::timestamptz[], %(currencies)s::text[], %(counts)s::bigint[], %(revenues)s::numeric[]
) as a (minute, currency, added, earned)
on conflict (minute, currency) do update
set confirmed = known.confirmed + excluded.confirmed,
    revenue = known.revenue + excluded.revenue;

-- name: add_cancelled
insert into orders_per_minute as known (minute, currency, placed, confirmed, cancelled, revenue)
select minute, currency, 0, 0, added, 0
from unnest(%(minutes)s::timestamptz[], %(currencies)s::text[], %(counts)s::bigint[]) as a (minute, currency, added)
on conflict (minute, currency) do update
set cancelled = known.cancelled + excluded.cancelled;

-- name: add_signed_up
insert into sign_ups_per_day as known (day, signed_up)
select day, added from unnest(%(days)s::timestamptz[], %(counts)s::bigint[]) as a (day, added)
on conflict (day) do update
set signed_up = known.signed_up + excluded.signed_up;
