"""Decides what a replay reads, and from where, before anything is made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from cdc.kafka_record import Headers
from consumers.replay.errors import EmptyRangeError, ReplayError
from consumers.replay.kafka_plan import plan_kafka
from consumers.replay.kafka_source import KafkaSource
from consumers.replay.log_source import LogSource, Urls, has_log, plan_log
from consumers.replay.selection import Filter, Selection
from consumers.replay.source import Kind, Plan, Range, Source
from consumers.runtime.store import Place
from schemas.codec import Codec


def make_plan(
    bootstrap: str, urls: Urls, selection: Selection, now: datetime, forced: Kind | None = None
) -> Plan:
    """Return what a replay reads: out of Kafka, or out of the event log where Kafka has no longer all of it.

    Raises:
        ReplayError: neither has it, or Kafka cannot be asked.
    """
    if forced == "log":
        return _filled(plan_log(urls, selection, now, "as was asked for"), selection)
    found = plan_kafka(bootstrap, selection, now)
    if not found.gone:
        return _filled(found.plan, selection)
    told = "; ".join(_since(topic, since) for topic, since in found.gone.items())
    if forced == "kafka":
        return _filled(
            replace(found.plan, why=f"{told}, and what came before is left out"), selection
        )
    if without := [topic for topic in selection.topics if not has_log(topic, urls)]:
        raise ReplayError(
            f"{told}, and {', '.join(without)} has no event log: begin later, or say --source kafka to go without it"
        )
    return _filled(plan_log(urls, selection, now, told), selection)


def open_source(
    plan: Plan,
    selection: Selection,
    bootstrap: str,
    urls: Urls,
    codec: Codec,
    mark: Headers = (),
) -> Source:
    chosen = Filter(selection, codec)
    if plan.kind == "log":
        return LogSource(urls, plan, chosen, mark)
    return KafkaSource(bootstrap, plan, chosen, mark)


def places_of(plan: Plan) -> dict[Place, int]:
    return {each.place: each.begin for each in plan.ranges}


def as_json(plan: Plan) -> dict[str, Any]:
    return {
        "source": plan.kind,
        "why": plan.why,
        "start": plan.start.isoformat() if plan.start else None,
        "end": plan.end.isoformat() if plan.end else None,
        "is_whole": plan.is_whole,
        "reaches": [[*place, end] for place, end in plan.reaches.items()] if plan.reaches else None,
        "ranges": [
            {
                "topic": each.place.topic,
                "partition": each.place.partition,
                "begin": each.begin,
                "end": each.end,
                "count": each.count,
                "first_at": each.first_at.isoformat() if each.first_at else None,
            }
            for each in plan.ranges
        ],
    }


def from_json(data: Mapping[str, Any]) -> Plan:
    return Plan(
        kind=data["source"],
        why=data["why"],
        ranges=tuple(
            Range(
                place=Place(each["topic"], each["partition"]),
                begin=each["begin"],
                end=each["end"],
                count=each["count"],
                first_at=_moment(each["first_at"]),
            )
            for each in data["ranges"]
        ),
        start=_moment(data["start"]),
        end=_moment(data["end"]),
        is_whole=data["is_whole"],
        reaches=_reaches(data.get("reaches")),
    )


def _reaches(data: Sequence[tuple[str, int, int]] | None) -> dict[Place, int] | None:
    return {Place(topic, partition): end for topic, partition, end in data} if data else None


def _filled(plan: Plan, selection: Selection) -> Plan:
    if not plan.ranges:
        where = "Kafka" if plan.kind == "kafka" else "The event log"
        span = f" from {selection.start}" if selection.start else ""
        span += f" to {selection.end}" if selection.end else ""
        raise EmptyRangeError(
            f"{where} has nothing of {', '.join(selection.topics)}{span}; `tailrace replay --dry-run` shows what there "
            "is in another range"
        )
    return plan


def _since(topic: str, since: datetime | None) -> str:
    if since is None:
        return f"Kafka keeps nothing of {topic} any more"
    return f"Kafka keeps {topic} only from {since.astimezone().isoformat(' ', 'seconds')} on"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
