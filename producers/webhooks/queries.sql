-- Statements of the webhooks service. What changes an endpoint and its deliveries locks the endpoint first.

-- name: register
insert into endpoint (endpoint_id, url, event_types, filter, in_order, signing, public_key, key, description)
values (
    %(endpoint_id)s, %(url)s, %(event_types)s, %(filter)s, %(in_order)s, %(signing)s, %(public_key)s, %(key)s,
    %(description)s
)
returning
    endpoint_id, url, event_types, filter, in_order, signing, public_key, description, disabled_reason, failing_since,
    slowed_until, created_at;

-- name: find
select
    endpoint_id, url, event_types, filter, in_order, signing, public_key, description, disabled_reason, failing_since,
    slowed_until, created_at
from endpoint
where endpoint_id = %(endpoint_id)s and deleted_at is null;

-- name: list
select
    endpoint_id, url, event_types, filter, in_order, signing, public_key, description, disabled_reason, failing_since,
    slowed_until, created_at
from endpoint
where (%(after)s::uuid is null or endpoint_id > %(after)s) and deleted_at is null
order by endpoint_id
limit %(limit)s;

-- name: lock
-- Weaker than what would keep new deliveries waiting, which refer to the endpoint.
select disabled_reason, url
from endpoint
where endpoint_id = %(endpoint_id)s and deleted_at is null
for no key update;

-- name: disable
update endpoint set disabled_reason = %(reason)s where endpoint_id = %(endpoint_id)s;

-- name: skip
-- What waits for an endpoint that is disabled. It can be recovered. Whoever is at one keeps his lease until his call ends.
update delivery
set status = 'skipped', finished_at = now()
where endpoint_id = %(endpoint_id)s and status = 'pending';

-- name: enable
update endpoint
set disabled_reason = null, failing_since = null, slowed_until = null
where endpoint_id = %(endpoint_id)s;

-- name: change
update endpoint
set
    event_types = %(event_types)s,
    filter = %(filter)s,
    in_order = %(in_order)s,
    description = %(description)s
where endpoint_id = %(endpoint_id)s;

-- name: move
-- What is known of the receiver at the former URL says nothing of the one at this.
update endpoint
set url = %(url)s, failing_since = null, slowed_until = null, is_swift = false
where endpoint_id = %(endpoint_id)s;

-- name: try_anew
-- What waits for its next attempt; what is under way is decided by whoever is at it.
update delivery
set attempts = 0, due_at = now()
where endpoint_id = %(endpoint_id)s and status = 'pending' and leased_until is null;

-- name: delete
-- Its keys are gone at once.
update endpoint
set deleted_at = now(), disabled_reason = %(reason)s, key = '', former_key = null, former_until = null
where endpoint_id = %(endpoint_id)s;

-- name: key
select key from endpoint where endpoint_id = %(endpoint_id)s;

-- name: rotate
-- The former key signs for a while beside the new one.
update endpoint
set
    former_key = key,
    former_until = now() + make_interval(secs => %(overlap_s)s),
    key = %(key)s,
    signing = %(signing)s,
    public_key = %(public_key)s
where endpoint_id = %(endpoint_id)s;

-- name: deliveries
select
    delivery_id, endpoint_id, webhook_id, event_type, key, status, attempts,
    case when status = 'pending' then due_at end as due_at, created_at, finished_at
from delivery
where
    endpoint_id = %(endpoint_id)s
    and (%(before)s::bigint is null or delivery_id < %(before)s)
    and (%(status)s::text is null or status = %(status)s)
order by delivery_id desc
limit %(limit)s;

-- name: delivery
select
    delivery_id, endpoint_id, webhook_id, event_type, delivery.key, status, attempts,
    case when status = 'pending' then due_at end as due_at, delivery.created_at, finished_at
from delivery join endpoint using (endpoint_id)
where delivery_id = %(delivery_id)s and deleted_at is null;

-- name: attempts
select attempted_at, duration_ms, status, error, answer
from attempt
where delivery_id = %(delivery_id)s
order by attempted_at;

-- name: add
insert into delivery (endpoint_id, webhook_id, event_type, key, event_at, body)
values (%(endpoint_id)s, %(webhook_id)s, %(event_type)s, %(key)s, now(), %(body)s)
returning
    delivery_id, endpoint_id, webhook_id, event_type, key, status, attempts, due_at, created_at, finished_at;

-- name: resend
update delivery
set status = 'pending', attempts = 0, due_at = now(), leased_until = null, finished_at = null
where delivery_id = %(delivery_id)s and status <> 'pending'
returning
    delivery_id, endpoint_id, webhook_id, event_type, key, status, attempts, due_at, created_at, finished_at;

-- name: recover
-- What has not arrived: given up, skipped, or waiting for its next attempt.
update delivery
set status = 'pending', attempts = 0, due_at = now(), leased_until = null, finished_at = null
where
    endpoint_id = %(endpoint_id)s
    and event_at >= %(since)s
    and (status in ('failed', 'skipped') or (status = 'pending' and leased_until is null));
