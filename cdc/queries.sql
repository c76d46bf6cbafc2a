-- Statements of the outbox. They name no schema: each service's search_path leads to its own.

-- name: append_one
-- What is nearly always appended; without arrays it takes half the time.
insert into outbox (kind, topic, aggregate_type, aggregate_id, payload, :outbox_written:)
values (%(kind)s, %(topic)s, %(aggregate_type)s, %(aggregate_id)s, %(payload)b, :outbox_written_values:);

-- name: append_many
-- One round trip for any number of messages of one kind, each column as an array; seq follows their order.
insert into outbox (kind, topic, aggregate_type, aggregate_id, payload, :outbox_written:)
select %(kind)s, m.topic, m.aggregate_type, m.aggregate_id, m.payload, :outbox_written:
from unnest(
    %(topic)s::text[], %(aggregate_type)s::text[], %(aggregate_id)s::text[], %(payload)s::bytea[],
    :outbox_written_arrays:
) with ordinality as m (topic, aggregate_type, aggregate_id, payload, :outbox_written:, position)
order by m.position;

-- name: delay
insert into outbox_delayed (due_at, not_before, topic, aggregate_type, aggregate_id, payload, :outbox_written:)
values (
    %(not_before)s, %(not_before)s, %(topic)s, %(aggregate_type)s, %(aggregate_id)s, %(payload)b, :outbox_written_values:
);

-- name: withdraw
delete from outbox_delayed where id = %(id)s;
