-- Statements of reconciliation about the inbox of a consumer. They name no schema: search_path leads to the service's own.

-- name: positions
select partition, next_offset from consumer_offset
where consumer = %(consumer)s and topic = %(topic)s and coalesce(topic_id = %(topic_id)s, true);

-- name: first_id
-- The smallest id that the inbox can hold; null when it holds them for ever.
select case when to_regclass('inbox_earlier') is null then
    inbox_id_at(min(right(relname, 8)::date)::timestamp at time zone 'UTC')
end
from pg_inherits join pg_class on oid = inhrelid
where inhparent = 'inbox'::regclass and relname ~ '^inbox_\d{8}$';

-- name: taken
select message_id from inbox
where consumer = %(consumer)s and message_id between %(first)s and %(last)s
order by message_id;

-- name: parked
-- Of a record that the inbox cannot keep, the id stands in the headers alone, which may hold any bytes.
select coalesce(convert_to(message_id::text, 'UTF8'), header_values[array_position(header_names, 'ce_id')])
from parked_message
where consumer = %(consumer)s and topic = %(topic)s;

-- name: decided
-- Skipped by somebody: such a message is kept with the decision. Those without an id may be any.
select coalesce(convert_to(message_id::text, 'UTF8'), header_values[array_position(header_names, 'ce_id')])
from parked_action
where consumer = %(consumer)s and topic = %(topic)s and action = 'skip'
    and (message_id is null or message_id = any(%(ids)s::uuid[]));
