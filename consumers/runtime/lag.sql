-- Statements about how far the consumers of a schema have come. They name no schema: search_path leads to the service's own.

-- name: positions
select
    consumer, topic, partition, next_offset, duplicates, topic_id, lost,
    reset_reason || ' (' || to_char(reset_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') || ')' as reset
from consumer_offset;

-- name: settle
update consumer_offset set lost = 0, reset_at = null, reset_reason = null
where consumer = %(consumer)s and reset_at is not null;

-- name: parked
select
    m.consumer, m.topic, count(*) as parked,
    count(distinct s.sequence_id) filter (where s.status = 'dead') as dead
from parked_message as m join parked_sequence as s using (sequence_id)
group by m.consumer, m.topic;
