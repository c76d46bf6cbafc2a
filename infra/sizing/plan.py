"""What an installation has to have for a load, and what would be the first to be too small."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from infra.sizing.rates import Part, Rates

DAY_S = 86_400
HOUR_S = 3600
LEAST_PARTITIONS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be carried.

    Args:
        events_per_s: Events that are written, at the worst time of the day.
        event_bytes: Of an event's payload, in Avro.
        consumers: Consumers that take each event.
        publisher: Who carries the outboxes to Kafka.
        replication: Copies that Kafka keeps.
        topic_hours: How long Kafka keeps a record.
        inbox_days: How long inboxes remember ids.
        share: Of what a part carries at most, how much is planned with; the rest is for what waits after a fault.
        average: Events per second over a day, in units of those at the worst time.
    """

    events_per_s: float
    event_bytes: int = 200
    consumers: int = 2
    publisher: Part = "connector"
    replication: int = 3
    topic_hours: int = 168
    inbox_days: int = 15
    share: float = 0.5
    average: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How many of something are needed.

    Args:
        one_carries: Of the whole load, in events/s, what one is planned to carry.
        because: What that follows from.
    """

    what: str
    count: int
    one_carries: float
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an installation has to have."""

    needs: Sequence[Need]
    first_limit: str  # which of them is too small first, where there is one of each
    cores: int
    kafka_gb: int  # on all brokers together
    postgres_gb_per_day: int  # events stay for good
    inbox_gb: int
    machine: str  # on which the rates were measured


def plan(load: Load, rates: Rates) -> Plan:
    """Return what is needed; each rate is that of one part at its limit, of which a share is planned with."""
    publisher, worker, partition = (
        rates.parts[part] for part in (load.publisher, "worker", "partition")
    )
    broker = rates.parts["broker"]
    record_bytes = load.event_bytes + rates.bytes["record"]
    # a broker takes its part of all copies, and gives each consumer its part of the records
    broker_events = broker.per_s / (record_bytes * load.replication)
    workers = _need("workers of each consumer", load, worker.per_s, worker.what)
    needs = (
        *_capturing(load, rates),
        workers,
        _need(
            "partitions of a topic",
            load,
            partition.per_s,
            partition.what,
            least=max(LEAST_PARTITIONS, workers.count),
        ),
        _need(
            "brokers",
            load,
            broker_events,
            f"{broker.what}, {load.replication} copies",
            least=load.replication,
        ),
    )
    # the rates were measured with a machine full: so much of it each event takes
    publishing_s = rates.cores / publisher.per_s
    effect_s = rates.cores / worker.per_s
    busy = load.events_per_s * (publishing_s + load.consumers * effect_s)
    a_day = load.events_per_s * load.average * DAY_S
    kept = load.events_per_s * load.average * HOUR_S * load.topic_hours
    return Plan(
        needs=needs,
        first_limit=min(needs, key=lambda each: each.one_carries).what,
        cores=math.ceil(busy / load.share),
        kafka_gb=_gb(kept * record_bytes * load.replication),
        postgres_gb_per_day=_gb(a_day * (load.event_bytes + rates.bytes["outbox_row"])),
        inbox_gb=_gb(a_day * load.inbox_days * load.consumers * rates.bytes["inbox_row"]),
        machine=rates.machine,
    )


def _capturing(load: Load, rates: Rates) -> Sequence[Need]:
    """Return what carries outboxes to Kafka: all connectors of a database have all of its WAL decoded."""
    publisher, decoding = rates.parts[load.publisher], rates.parts["decoding"]
    if load.publisher == "relay":
        return [_need("captures", load, publisher.per_s, f"each a database: {publisher.what}")]
    captures = _need("captures", load, decoding.per_s, f"each a database: {decoding.what}")
    shards = _need(
        "shards of all captures", load, publisher.per_s, publisher.what, least=captures.count
    )
    return [captures, shards]


def _need(what: str, load: Load, per_s: float, because: str, least: int = 1) -> Need:
    carries = per_s * load.share
    return Need(
        what=what,
        count=max(least, math.ceil(load.events_per_s / carries)),
        one_carries=carries,
        because=because,
    )


def _gb(size: float) -> int:
    return math.ceil(size / 1e9)
