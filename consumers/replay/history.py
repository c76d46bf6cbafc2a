"""What of all messages that there ever were Kafka still has, and what must come from the event log."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from cdc.kafka import Bounds, retention
from cdc.kafka_record import Place
from cdc.topic_reader import TopicReader
from consumers.replay.kafka_plan import first_times


def bounds_in_kafka(bootstrap: str, topics: Iterable[str]) -> dict[Place, Bounds]:
    """Return what Kafka has of each partition of topics."""
    with TopicReader(bootstrap) as reader:
        return reader.bounds(*topics)


def oldest_in_kafka(
    bootstrap: str, bounds: Mapping[Place, Bounds], now: datetime
) -> datetime | None:
    """Return the moment before which Kafka may lack messages of a topic; None when it never had any.

    What was made before that moment was published before what Kafka still has, so that the worker has taken it. A
    partition of which everything was deleted lacks nothing that is younger than its retention.
    """
    filled = {place: each.begin for place, each in bounds.items() if each.begin < each.end}
    with TopicReader(bootstrap) as reader:
        firsts = first_times(reader, filled)
    lacking = [moment for place, moment in firsts.items() if bounds[place].begin > 0]
    emptied = {place.topic for place, each in bounds.items() if 0 < each.begin == each.end}
    if emptied:
        kept = retention(bootstrap, sorted(emptied)).values()
        lacking.extend(now - (each or timedelta(0)) for each in kept)
    if firsts:
        lacking.append(min(firsts.values()))
    return max(lacking, default=None)


def by_place(rows: Iterable[tuple[str, int, int]]) -> dict[Place, int]:
    return {Place(topic, partition): offset for topic, partition, offset in rows}
