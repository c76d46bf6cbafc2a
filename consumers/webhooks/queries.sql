-- Statements of the sending half of webhooks.

-- name: endpoints
select endpoint_id, event_types, filter, created_at from endpoint where disabled_reason is null;

-- name: add
-- In the order of the messages, by which those of one key wait for each other; not for an endpoint that was disabled since
-- it was looked for, as what waits for it has been skipped by then.
insert into delivery (endpoint_id, webhook_id, event_type, key, event_at, body, traceparent)
select added.endpoint_id, webhook_id, event_type, added.key, event_at, body, traceparent
from unnest(
    %(endpoint_id)s::uuid[], %(webhook_id)s::uuid[], %(event_type)s::text[], %(key)s::text[],
    %(event_at)s::timestamptz[], %(body)s::text[], %(traceparent)s::text[]
) with ordinality as added (endpoint_id, webhook_id, event_type, key, event_at, body, traceparent, position)
    join endpoint using (endpoint_id)
where endpoint.disabled_reason is null
order by position
on conflict (endpoint_id, webhook_id) do nothing;

-- name: lease
-- What is due and not behind another of its key. An endpoint and a host have no more under way than they may, and the
-- first of each endpoint comes before the second of any. What another worker has just taken is locked or leased; what
-- was leased by one that has died is due again when the lease is over.
with under_way as (
    select endpoint_id, count(*) as calls
    from delivery
    where leased_until > clock_timestamp()
    group by endpoint_id
),
of_host as (
    select host, sum(calls) as calls from under_way join endpoint using (endpoint_id) group by host
),
candidate as (
    select due.delivery_id, due.due_at, due.nth, endpoint.host
    from
        endpoint left join under_way using (endpoint_id),
        lateral (
            select due.delivery_id, due.due_at, row_number() over (order by due.due_at, due.delivery_id) as nth
            from delivery as due
            where
                due.endpoint_id = endpoint.endpoint_id
                and due.status = 'pending'
                and due.due_at <= clock_timestamp()
                and (due.leased_until is null or due.leased_until <= clock_timestamp())
                and not (
                    endpoint.in_order
                    and exists (
                        select from delivery as before
                        where
                            before.endpoint_id = due.endpoint_id
                            and before.key = due.key
                            and before.status = 'pending'
                            and before.delivery_id < due.delivery_id
                    )
                )
            order by due.due_at, due.delivery_id
            limit greatest(
                0,
                case when endpoint.failing_since is null then %(of_endpoint)s else 1 end - coalesce(under_way.calls, 0)
            )
        ) as due
    where
        endpoint.disabled_reason is null
        and (endpoint.slowed_until is null or endpoint.slowed_until <= clock_timestamp())
        and (endpoint.is_swift and endpoint.failing_since is null) = %(swift)s
),
ranked as (
    select
        candidate.*,
        row_number() over (partition by host order by nth, due_at, delivery_id) + coalesce(of_host.calls, 0) as nth_of_host
    from candidate left join of_host using (host)
),
chosen as (
    select delivery_id from ranked where nth_of_host <= %(of_host)s order by nth, due_at, delivery_id limit %(limit)s
),
taken as materialized (
    select
        delivery.delivery_id, endpoint.url, endpoint.key,
        case when endpoint.former_until > clock_timestamp() then endpoint.former_key end as former_key
    from delivery join chosen using (delivery_id) join endpoint using (endpoint_id)
    where
        delivery.status = 'pending'
        and (delivery.leased_until is null or delivery.leased_until <= clock_timestamp())
        and endpoint.disabled_reason is null
    for update of delivery skip locked
)
update delivery
set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
from taken
where delivery.delivery_id = taken.delivery_id
returning
    delivery.delivery_id, delivery.endpoint_id, delivery.webhook_id, delivery.body, delivery.attempts,
    delivery.leased_until, delivery.created_at, delivery.traceparent, taken.url, taken.key, taken.former_key,
    %(swift)s as of_swift;

-- name: slow
-- Known before the call is over, so that no more are begun on the account of the swift. In one order, so that two
-- workers do not wait for each other in a circle.
update endpoint set is_swift = false
where endpoint_id in (
    select endpoint_id from endpoint
    where endpoint_id = any(%(endpoint_ids)s) and is_swift
    order by endpoint_id
    for no key update
);

-- name: release
-- What was broken off, so that somebody else takes it at once.
update delivery set leased_until = null
where delivery_id = %(delivery_id)s and leased_until = %(leased_until)s;

-- name: lock
select url, failing_since, disabled_reason, clock_timestamp() as now from endpoint where endpoint_id = %(endpoint_id)s for no key update;

-- name: note
insert into attempt (delivery_id, attempted_at, duration_ms, status, error, answer)
values (%(delivery_id)s, %(attempted_at)s, %(duration_ms)s, %(status)s, %(error)s, %(answer)s)
on conflict (delivery_id, attempted_at) do nothing;

-- name: settle
-- Nothing when the lease is somebody else's by now, or the endpoint was disabled meanwhile.
update delivery
set
    status = %(status)s,
    attempts = %(attempts)s,
    leased_until = null,
    due_at = coalesce(%(due_at)s::timestamptz, due_at),
    finished_at = case when %(status)s <> 'pending' then clock_timestamp() end
where delivery_id = %(delivery_id)s and leased_until = %(leased_until)s and status = 'pending';

-- name: queue
-- What waits behind a delivery is not looked at before that is due again, and at once when that is over.
update delivery as behind
set due_at = coalesce(%(due_at)s::timestamptz, clock_timestamp())
from delivery as settled, endpoint
where
    settled.delivery_id = %(delivery_id)s
    and endpoint.endpoint_id = settled.endpoint_id
    and endpoint.in_order
    and behind.endpoint_id = settled.endpoint_id
    and behind.key = settled.key
    and behind.status = 'pending'
    and behind.delivery_id > settled.delivery_id;

-- name: judge
-- Calls that were under way with the one that was asked to wait say nothing against that, however they end.
update endpoint
set failing_since = %(failing_since)s, slowed_until = greatest(slowed_until, %(slowed_until)s), is_swift = %(is_swift)s
where
    endpoint_id = %(endpoint_id)s
    and (failing_since, slowed_until, is_swift)
        is distinct from (%(failing_since)s, greatest(slowed_until, %(slowed_until)s), %(is_swift)s);

-- name: forget
delete from delivery
where delivery_id in (
    select delivery_id from delivery
    where finished_at < now() - %(keep)s::interval
    order by finished_at
    limit %(limit)s
    for update skip locked
);

-- name: forget_deleted
-- Deliveries of endpoints that were deleted, whatever became of them, but for those that somebody is at.
delete from delivery
where delivery_id in (
    select delivery_id from delivery join endpoint using (endpoint_id)
    where deleted_at is not null and (leased_until is null or leased_until <= clock_timestamp())
    limit %(limit)s
    for update of delivery skip locked
);

-- name: forget_endpoints
-- Not at once: a transaction that began before may be about to note something for one.
delete from endpoint
where
    deleted_at < now() - interval '1 hour'
    and not exists (select from delivery where delivery.endpoint_id = endpoint.endpoint_id);

-- name: endpoints_as_registered
-- For a replay: who is told of what, without the keys, as nobody is called.
insert into endpoint (
    endpoint_id, url, event_types, filter, in_order, signing, public_key, key, created_at
)
select endpoint_id, url, event_types, filter, in_order, signing, public_key, '', created_at
from :live.endpoint
where deleted_at is null;
