-- Statements of the outbox. They name no schema: each service's search_path leads to its own.

-- name: append_one
-- What is nearly always appended; without arrays it takes half the time.
insert into outbox (
    id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type,
    payload, correlation_id, causation_id, traceparent
) values (
    %(id)s, %(kind)s, %(topic)s, %(aggregate_type)s, %(aggregate_id)s, %(aggregate_version)s, %(type)s,
    %(payload)b, %(correlation_id)s, %(causation_id)s, %(traceparent)s
);

-- name: append_many
-- One round trip for any number of messages; seq follows the order of the arrays.
insert into outbox (
    id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type,
    payload, correlation_id, causation_id, traceparent
)
select
    m.id, %(kind)s, m.topic, m.aggregate_type, %(aggregate_id)s, m.aggregate_version, m.type,
    m.payload, %(correlation_id)s, %(causation_id)s, %(traceparent)s
from unnest(
    %(ids)s::uuid[], %(topics)s::text[], %(aggregate_types)s::text[], %(aggregate_versions)s::bigint[],
    %(types)s::text[], %(payloads)s::bytea[]
) with ordinality as m (id, topic, aggregate_type, aggregate_version, type, payload, position)
order by m.position;
