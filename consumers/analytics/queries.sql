-- Statements of the analytics projection.

-- name: add
insert into orders_per_minute as known (minute, currency, placed, confirmed, cancelled, revenue)
values (
    date_trunc('minute', %(at)s::timestamptz, 'UTC'), %(currency)s,
    %(placed)s, %(confirmed)s, %(cancelled)s, %(revenue)s
)
on conflict (minute, currency) do update
set placed = known.placed + excluded.placed,
    confirmed = known.confirmed + excluded.confirmed,
    cancelled = known.cancelled + excluded.cancelled,
    revenue = known.revenue + excluded.revenue;
