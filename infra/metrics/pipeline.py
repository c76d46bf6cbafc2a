"""The pipeline as metrics: slot, connector, outboxes, topics, consumers, dead letters and sagas."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from cdc import connector
from cdc.database import SyncConnection
from cdc.metrics import Labels, Metric, Values, counter, gauge, one
from consumers.runtime.lag import TopicLag
from consumers.runtime.parked.reading import ParkedMessages
from consumers.runtime.parked.selection import REASONS, STATUSES
from consumers.sagas.reading import SagaReader
from infra import capture
from infra.deployment import Deployment
from infra.metrics.gathering import Look, Source
from infra.operations import relay
from infra.operations.lag import Lags, lags_in
from infra.operations.outbox.waiting import Outboxes
from infra.operations.sagas import OPEN
from infra.publishing import publisher
from infra.schema_access import Schemas
from infra.services import CONSUMER_ROLES, SAGA_ROLES, WORKERS
from schemas.catalogue import catalogue


def pipeline_sources(deployment: Deployment) -> tuple[Source, ...]:
    deployment = deployment.to_look()
    schemas = Schemas(deployment)

    @contextmanager
    def slot() -> Iterator[Look]:
        yield lambda: list(_slots(deployment))

    @contextmanager
    def publishing() -> Iterator[Look]:
        yield lambda: list(_publishing(deployment))

    @contextmanager
    def outboxes() -> Iterator[Look]:
        with schemas.opened() as connections:
            looked_at = Outboxes(deployment, connections)
            yield lambda: list(_outboxes(looked_at))

    @contextmanager
    def consumers() -> Iterator[Look]:
        with (
            schemas.opened() as connections,
            lags_in(deployment, [connections[role] for role in CONSUMER_ROLES]) as lags,
        ):
            yield lambda: list(_consumers(lags))

    @contextmanager
    def parked() -> Iterator[Look]:
        with schemas.opened() as connections:
            yield lambda: list(_parked([connections[role] for role in CONSUMER_ROLES]))

    @contextmanager
    def sagas() -> Iterator[Look]:
        with schemas.opened() as connections:
            readers = [SagaReader(connections[role]) for role in SAGA_ROLES]
            yield lambda: list(_sagas(readers))

    return (
        # apart from who publishes: when Connect is down, WAL piles up
        Source("slot", slot),
        Source("publisher", publishing),
        Source("outboxes", outboxes),
        Source("consumers", consumers),
        Source("dead letters", parked),
        Source("sagas", sagas),
    )


def _publishing(deployment: Deployment) -> Iterator[Metric]:
    if publisher(deployment) == "cdc":
        states = {
            each.connector: connector.status(deployment.connect_url, each.connector)
            for each in deployment.shards
        }
        yield gauge(
            "tailrace_connector_running",
            "Whether the connector and its task run.",
            {(name,): state.is_running for name, state in states.items()},
            ["connector"],
        )
        return
    found = relay.report(deployment)
    yield gauge(
        "tailrace_relay_unheld_shards",
        "Shards of the outboxes that no relay holds.",
        one(sum(shard.holder is None for shard in found.shards)),
    )
    yield gauge(
        "tailrace_relay_set_aside_rows",
        "Rows that are set aside, because Kafka refuses them or one before them.",
        one(sum(each.rows for each in found.set_aside)),
    )


def _slots(deployment: Deployment) -> Iterator[Metric]:
    slots = {each.slot: capture.slot(each) for each in deployment.shards}
    there = {name: slot for name, slot in slots.items() if slot}
    if publisher(deployment) == "cdc":
        usable = {
            name: slot is not None and not slot.is_lost and slot.is_readable
            for name, slot in slots.items()
        }
        yield _of_slots(
            "usable", "Whether the slot is there, and the connector can read it.", usable
        )
    figures: Sequence[tuple[str, str]] = (
        ("active", "Whether somebody reads the slot."),
        ("retained_bytes", "WAL that is kept for the slot."),
        ("unconfirmed_bytes", "WAL that the slot's reader has not confirmed."),
        (
            "limit_bytes",
            "WAL that may be kept for the slot, max_slot_wal_keep_size; missing where there is no limit.",
        ),
        (
            "safe_bytes",
            "WAL that can still be written before the slot is given up; missing where there is no limit.",
        ),
    )
    for name, about in figures if there else ():
        yield _of_slots(name, about, {slot: getattr(each, name) for slot, each in there.items()})


def _of_slots(figure: str, about: str, values: Mapping[str, float | None]) -> Metric:
    return gauge(
        f"tailrace_slot_{figure}",
        about,
        {(name,): value for name, value in values.items()},
        ["slot"],
    )


def _outboxes(outboxes: Outboxes) -> Iterator[Metric]:
    rows = outboxes.look().outboxes or {}
    yield gauge(
        "tailrace_outbox_unpublished_rows",
        "Rows that are not in Kafka.",
        {(outbox,): each.number for outbox, each in rows.items()},
        ["outbox"],
    )
    yield gauge(
        "tailrace_outbox_oldest_unpublished_seconds",
        "Age of the oldest row that is not in Kafka; 0 when there is none.",
        {(outbox,): each.oldest_s or 0.0 for outbox, each in rows.items()},
        ["outbox"],
    )


def _consumers(lags: Lags) -> Iterator[Metric]:
    measured = lags.measure()
    yield counter(
        "tailrace_topic_records_total",
        "Offsets of a topic that there have been, as far as committed.",
        {(topic,): end for topic, end in lags.ends(catalogue().topics).items()},
        ["topic"],
    )
    yield counter(
        "tailrace_consumer_records_total",
        "Offsets of a topic that a consumer is past.",
        {
            (each.consumer, each.topic): sum(part.position or 0 for part in each.partitions)
            for each in measured
        },
        ["consumer", "topic"],
    )
    for figure, about, values in (
        (
            "lag_messages",
            "Messages that a consumer has not done, at most.",
            _by_topic(measured, "messages"),
        ),
        (
            "lag_seconds",
            "Age of the oldest message that a consumer has not done.",
            _by_topic(measured, "seconds"),
        ),
        (
            "lost_records",
            "Records that were deleted before a consumer had read them, since somebody settled it.",
            _by_topic(measured, "lost"),
        ),
    ):
        yield gauge(f"tailrace_consumer_{figure}", about, values, ["consumer", "topic"])
    yield counter(
        "tailrace_consumer_duplicates_total",
        "Deliveries that were dropped because their effect existed.",
        _by_topic(measured, "duplicates"),
        ["consumer", "topic"],
    )


def _by_topic(measured: Sequence[TopicLag], figure: str) -> Values:
    return {(each.consumer, each.topic): getattr(each, figure) for each in measured}


def _parked(connections: Sequence[SyncConnection]) -> Iterator[Metric]:
    # those of none are told as well: an alert about what is nowhere to be seen would be as quiet
    names = [worker.name for worker in WORKERS]
    messages: dict[Labels, float] = {(name, each): 0 for name in names for each in REASONS}
    keys: dict[Labels, float] = {(name, each): 0 for name in names for each in STATUSES}
    for connection in connections:
        reading = ParkedMessages(connection)
        messages.update(reading.messages())
        keys.update(reading.keys())
    yield gauge(
        "tailrace_parked_messages",
        "Messages that are parked, by why.",
        messages,
        ["consumer", "reason"],
    )
    yield gauge(
        "tailrace_parked_keys",
        "Keys that are held up by a parked message: one that is tried again, or a dead letter.",
        keys,
        ["consumer", "status"],
    )


def _sagas(readers: Sequence[SagaReader]) -> Iterator[Metric]:
    sagas: dict[Labels, float] = {}
    unchanged: dict[Labels, float] = {}
    for reader in readers:
        for saga, found in reader.open().items():
            for status in OPEN:
                number, oldest_s = found.get(status, (0, 0.0))
                sagas[saga, status], unchanged[saga, status] = number, oldest_s
    yield gauge(
        "tailrace_sagas_open", "Sagas that have not ended, by status.", sagas, ["saga", "status"]
    )
    yield gauge(
        "tailrace_sagas_unchanged_seconds",
        "Time for which the saga of a status has not changed that has waited longest.",
        unchanged,
        ["saga", "status"],
    )
