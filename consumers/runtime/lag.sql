-- Statements about how far the consumers of a schema have come. They name no schema: search_path leads to the service's own.

-- name: positions
select consumer, topic, partition, next_offset, duplicates from consumer_offset;

-- name: parked
select
    m.consumer, m.topic, count(*) as parked,
    count(distinct s.sequence_id) filter (where s.status = 'dead') as dead
from parked_message as m join parked_sequence as s using (sequence_id)
group by m.consumer, m.topic;
