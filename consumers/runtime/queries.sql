-- Statements of the consumer runtime. They name no schema: each service's search_path leads to its own.

-- name: admit
-- The ids that this consumer sees for the first time; of an id given twice, the first.
insert into inbox (consumer, message_id)
select %(consumer)s, id from unnest(%(ids)s::uuid[]) as delivered (id)
on conflict do nothing
returning message_id;

-- name: advance
insert into consumer_offset as known (consumer, topic, partition, next_offset, applied, duplicates)
values (%(consumer)s, %(topic)s, %(partition)s, %(next_offset)s, %(applied)s, %(duplicates)s)
on conflict (consumer, topic, partition) do update
set next_offset = greatest(known.next_offset, excluded.next_offset),
    applied = known.applied + excluded.applied,
    duplicates = known.duplicates + excluded.duplicates,
    updated_at = clock_timestamp();
