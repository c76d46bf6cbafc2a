-- Statements of the analytics projection: each adds to many minutes at once.

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
