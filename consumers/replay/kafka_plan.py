"""Which offsets of which partitions a replay out of Kafka reads, and whether Kafka still has all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cdc.kafka import Bounds, retention
from cdc.kafka_record import Place
from cdc.topic_reader import TopicReader
from consumers.replay.bounds import Bound
from consumers.replay.errors import ChoiceError, EmptyRangeError, ReplayError
from consumers.replay.selection import Selection
from consumers.replay.source import Plan, Range


@dataclass(frozen=True, slots=True)
class KafkaPlan:
    """What Kafka has of a selection."""

    plan: Plan  # what is to be read; it may hold no ranges
    # topics of which a part of the range was deleted, and since when Kafka has them
    gone: Mapping[str, datetime | None]


def plan_kafka(bootstrap: str, selection: Selection, now: datetime) -> KafkaPlan:
    """Return what a replay out of Kafka would read.

    Raises:
        ReplayError: Kafka lacks a partition or an offset that is named.
        TopicError: Kafka cannot be asked, or lacks a topic.
    """
    with TopicReader(bootstrap) as reader:
        bounds = reader.bounds(*selection.topics)
        _require_known(selection, bounds)
        chosen = {
            place: each
            for place, each in bounds.items()
            if _is_meant(selection.start, place) and _is_meant(selection.end, place)
        }
        begins = _at(reader, selection.start, chosen, {p: b.begin for p, b in chosen.items()})
        ends = _at(reader, selection.end, chosen, {p: b.end for p, b in chosen.items()})
        firsts = first_times(reader, {p: b for p, b in begins.items() if b < chosen[p].end})
    kept = retention(bootstrap, selection.topics)
    lost = {
        place
        for place, each in chosen.items()
        if _is_gone(selection.start, begins[place], each, kept[place.topic], now)
    }
    ranges = tuple(
        Range(place=p, begin=begins[p], end=ends[p], count=ends[p] - begins[p], first_at=firsts[p])
        for p in chosen
        if begins[p] < ends[p]
    )
    since = [firsts[place] for place in lost if place in firsts]
    plan = Plan(
        kind="kafka",
        why="",
        ranges=ranges,
        start=max(since, default=selection.start.time),
        end=selection.end.time or now,
        is_whole=not (selection.start.offsets or selection.end.offsets),
        reaches=ends if ends == {p: each.end for p, each in bounds.items()} else None,
    )
    gone = {
        topic: max((firsts[p] for p in lost if p in firsts and p.topic == topic), default=None)
        for topic in sorted({place.topic for place in lost})
    }
    return KafkaPlan(plan, gone)


def first_times(reader: TopicReader, starts: Mapping[Place, int]) -> dict[Place, datetime]:
    """Return when the first record from an offset on was recorded, for partitions that have one.

    Raises:
        EmptyRangeError: Kafka does not hand them all out.
        TopicError: Kafka cannot be asked.
    """
    found = reader.firsts(starts)
    if waiting := sorted(starts.keys() - found.keys()):
        raise EmptyRangeError(f"Kafka did not hand out {', '.join(map(str, waiting))}")
    # a range of nothing but the marks of transactions begins nowhere
    return {
        place: record.recorded_at if record else datetime.now(UTC)
        for place, record in found.items()
    }


def _at(
    reader: TopicReader,
    bound: Bound,
    chosen: Mapping[Place, Bounds],
    default: Mapping[Place, int],
) -> dict[Place, int]:
    if bound.offsets:
        return {place: bound.offsets.get(place.partition, default[place]) for place in chosen}
    if bound.time is None:
        return dict(default)
    return reader.at(bound.time, chosen)


def _is_meant(bound: Bound, place: Place) -> bool:
    return not bound.offsets or place.partition in bound.offsets


def _is_gone(
    start: Bound, begin: int, bounds: Bounds, kept: timedelta | None, now: datetime
) -> bool:
    """Tell whether records of the range may have been deleted before the first that there is."""
    if start.offsets or bounds.begin == 0 or begin > bounds.begin:
        return False
    if bounds.begin < bounds.end or start.time is None:
        return True
    return kept is not None and start.time < now - kept


def _require_known(selection: Selection, bounds: Mapping[Place, Bounds]) -> None:
    for bound in (selection.start, selection.end):
        for partition, offset in bound.offsets.items():
            place = Place(selection.topics[0], partition)
            if place not in bounds:
                raise ChoiceError(f"{place.topic} has no partition {partition}")
            known = bounds[place]
            if not known.begin <= offset <= known.end:
                raise ReplayError(
                    f"{place.topic}/{partition} has offsets {known.begin} to {known.end}, and {offset} is none of them"
                )
