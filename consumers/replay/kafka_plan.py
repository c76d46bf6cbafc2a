"""Which offsets of which partitions a replay out of Kafka reads, and whether Kafka still has all of them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # the documented name

from consumers.replay.bounds import Bound
from consumers.replay.errors import EmptyRangeError, ReplayError
from consumers.replay.selection import Selection
from consumers.replay.source import Plan, Range
from consumers.runtime.refusals import retention
from consumers.runtime.store import Place
from consumers.runtime.topics import Bounds

TIMEOUT_S = 15.0
POLL_S = 0.1


def reader_settings(bootstrap: str) -> dict[str, Any]:
    """Return the settings of a client that belongs to no group and sees committed records only."""
    return {
        "bootstrap.servers": bootstrap,
        "group.id": "replay",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "log_level": 0,
    }


@dataclass(frozen=True, slots=True)
class KafkaPlan:
    """What Kafka has of a selection."""

    plan: Plan  # what is to be read; it may hold no ranges
    # topics of which a part of the range was deleted, and since when Kafka has them
    gone: Mapping[str, datetime | None]


def bounds_of(bootstrap: str, topics: Sequence[str]) -> dict[Place, Bounds]:
    """Return what Kafka has of each partition of topics, as far as it is committed."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        known = admin.list_topics(timeout=TIMEOUT_S).topics
        if missing := [topic for topic in topics if topic not in known]:
            raise ReplayError(
                f"Kafka has no topic {', '.join(missing)}; `tailrace topics list` shows those it has"
            )
        places = [TopicPartition(topic, p) for topic in topics for p in known[topic].partitions]
        # the class carries no types
        begins = _offsets(admin, places, cast(Any, OffsetSpec).earliest())
        ends = _offsets(admin, places, cast(Any, OffsetSpec).latest())
    except KafkaException as error:
        raise _unanswered(bootstrap, error) from error
    return {place: Bounds(begins[place], ends[place]) for place in sorted(begins)}


def plan_kafka(bootstrap: str, selection: Selection, now: datetime) -> KafkaPlan:
    """Return what a replay out of Kafka would read.

    Raises:
        ReplayError: Kafka cannot be asked, or lacks a topic, a partition or an offset that is named.
    """
    bounds = bounds_of(bootstrap, selection.topics)
    _require_known(selection, bounds)
    consumer = Consumer(reader_settings(bootstrap))
    try:
        chosen = {
            place: each
            for place, each in bounds.items()
            if _is_meant(selection.start, place) and _is_meant(selection.end, place)
        }
        begins = _at(consumer, selection.start, chosen, {p: b.begin for p, b in chosen.items()})
        ends = _at(consumer, selection.end, chosen, {p: b.end for p, b in chosen.items()})
        firsts = first_times(consumer, {p: b for p, b in begins.items() if b < chosen[p].end})
    except KafkaException as error:
        raise _unanswered(bootstrap, error) from error
    finally:
        consumer.close()
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


def first_times(consumer: Consumer, starts: Mapping[Place, int]) -> dict[Place, datetime]:
    """Return when the first record from an offset on was recorded, for partitions that have one."""
    found: dict[Place, datetime] = {}
    if not starts:
        return found
    waiting = set(starts)
    consumer.assign([TopicPartition(*place, offset) for place, offset in starts.items()])
    deadline = time.monotonic() + TIMEOUT_S
    while waiting and time.monotonic() < deadline:
        message = consumer.poll(POLL_S)
        if message is None:
            continue
        place = Place(message.topic() or "", message.partition() or 0)
        if message.error() is None and place in waiting:
            found[place] = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
        if place in waiting:
            waiting.discard(place)
            consumer.incremental_unassign([TopicPartition(*place)])
    consumer.unassign()
    if waiting:
        raise EmptyRangeError(f"Kafka did not hand out {', '.join(map(str, sorted(waiting)))}")
    # a range of nothing but the marks of transactions begins nowhere
    return {place: found.get(place, datetime.now(UTC)) for place in starts}


def _offsets(admin: AdminClient, places: Sequence[TopicPartition], spec: Any) -> dict[Place, int]:
    answers = admin.list_offsets(
        dict.fromkeys(places, spec),
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=TIMEOUT_S,
    )
    return {Place(p.topic, p.partition): a.result().offset for p, a in answers.items()}


def _at(
    consumer: Consumer,
    bound: Bound,
    chosen: Mapping[Place, Bounds],
    default: Mapping[Place, int],
) -> dict[Place, int]:
    if bound.offsets:
        return {place: bound.offsets.get(place.partition, default[place]) for place in chosen}
    if bound.time is None:
        return dict(default)
    milliseconds = max(0, round(bound.time.timestamp() * 1000))
    asked = [TopicPartition(*place, milliseconds) for place in chosen]
    answers = consumer.offsets_for_times(asked, timeout=TIMEOUT_S) if asked else []
    found = {Place(each.topic, each.partition): each.offset for each in answers}
    return {
        # there is none so late: the range begins, or ends, at the end
        place: each.end if found[place] < 0 else min(found[place], each.end)
        for place, each in chosen.items()
    }


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
                raise ReplayError(f"{place.topic} has no partition {partition}")
            known = bounds[place]
            if not known.begin <= offset <= known.end:
                raise ReplayError(
                    f"{place.topic}/{partition} has offsets {known.begin} to {known.end}, and {offset} is none of them"
                )


def _unanswered(bootstrap: str, error: KafkaException) -> ReplayError:
    return ReplayError(f"Kafka at {bootstrap} cannot be asked ({error}); see `tailrace status`")
