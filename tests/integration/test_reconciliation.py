"""`tailrace outbox verify --topic`: what is wrong is named, id by id, and what flows is not taken for a loss."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from cdc.ids import new_id
from cdc.kafka import NoTopicError
from cdc.topic_reader import TopicReader
from infra.local.probe import wait_until
from infra.services import OWNER
from schemas.catalogue import catalogue
from tests.canaries import Canaries
from tests.inboxes import id_from
from tests.kafka import RawRecord, ends_of, raw_records
from tests.orders import place, wait_until_decided
from tests.produce import Maker, create_topic, produce
from tests.slots import verify
from tests.stack import RunningStack
from tests.workers.trial import Trial, open_trial
from tests.writer import Writer

PATIENCE = ("--patience", "20")


@pytest.fixture
def topic(stack: RunningStack) -> str:
    return create_topic(stack, partitions=3)


@pytest.fixture
def trial(stack: RunningStack, tmp_path: Path) -> Iterator[Trial]:
    with open_trial(stack, tmp_path, partitions=2) as trial:
        trial.fleet.start()
        yield trial


def test_orders_that_were_fulfilled_lie_everywhere(stack: RunningStack) -> None:
    begun = datetime.now(UTC)
    orders = [place(stack)["order_id"] for _ in range(5)]
    wait_until_decided(stack, orders)
    # other tests have written to the topic behind the back of the outbox
    report = verify(stack, "order.events", "--from", begun.isoformat())
    assert report["ok"], report
    assert report["rows"] >= 2 * len(orders)
    consumers = {each["consumer"]: each for each in report["consumers"]}
    assert set(consumers) == set(catalogue().topics["order.events"].consumers)
    assert consumers["payments-worker"]["ignored"] >= len(orders)
    assert consumers["analytics-worker"]["taken"] >= 2 * len(orders)


def test_what_flows_is_not_taken_for_a_loss(stack: RunningStack, trial: Trial) -> None:
    service = Writer(stack, trial.topic)
    with service.at_work():
        trial.wait_effects(10)
        for _ in range(3):
            report = verify(stack, trial.topic, "--consumer", trial.consumer)
            assert report["ok"], report
            assert report["rows"] >= 10


def test_each_fault_is_named(stack: RunningStack, topic: str) -> None:
    canaries = Canaries(stack, topic)
    with canaries.connect() as connection:
        lost, altered, moved = (
            canaries.append(connection, f"{name}-{new_id()}", after_version=0, events=4)
            for name in ("lost", "altered", "moved")
        )
        connection.commit()
        rolled_back = canaries.append(connection, "never", after_version=0)[0]
        connection.rollback()
    records = {
        each: raw_records(stack, topic, message_id=each, count=1)[0]
        for each in (*lost, *altered, *moved)
    }
    remake(stack, topic)
    sound = [records[each] for each in lost]
    send(stack, topic, [sound[0], sound[0], sound[2], sound[3]])
    never = with_headers(sound[0], ce_id=str(rolled_back))
    send(stack, topic, [RawRecord(never.partition, b"never", never.value, never.headers)])
    send(stack, topic, [with_headers(sound[0], ce_id=None)])
    send(stack, topic, [records[each] for each in (moved[0], moved[2], moved[1], moved[3])])
    value, header, key, same = (records[each] for each in altered)
    send(
        stack,
        topic,
        [
            RawRecord(value.partition, value.key, b"other bytes", value.headers),
            with_headers(header, traceparent="other"),
            RawRecord(key.partition, b"other", key.value, key.headers),
            same,
        ],
    )
    report = verify(stack, topic, *PATIENCE)
    assert not report["ok"]
    assert names(report, "missing") == {lost[1]}
    assert names(report, "duplicated") == {lost[0]}
    assert names(report, "phantom") == {rolled_back}
    assert names(report, "disordered") == {moved[1]}
    assert {
        UUID(each["id"]): each["detail"].split()[-1] for each in report["named"]["different"]
    } == {
        altered[0]: "value",
        altered[1]: "headers",
        altered[2]: "key",
    }
    [foreign] = report["named"]["foreign"]
    assert foreign["id"] is None
    assert topic in foreign["detail"]
    assert report["counts"]["pending"] == report["counts"]["too_old"] == 0


def test_only_the_window_is_compared_and_only_the_first_ids_are_printed(
    stack: RunningStack, topic: str
) -> None:
    before = deliver(stack, topic, events=2)
    middle = datetime.now(UTC)
    after = deliver(stack, topic, events=3)
    remake(stack, topic)
    since = verify(stack, topic, *PATIENCE, "--from", middle.isoformat())
    assert names(since, "missing") == set(after)
    until = verify(stack, topic, *PATIENCE, "--to", middle.isoformat())
    assert names(until, "missing") == set(before)
    told = stack.cli("outbox", "verify", "--topic", topic, "--limit", "2", check=False)
    assert told.returncode == 1
    assert "missing             5  in an outbox, and not in Kafka" in told.stdout
    assert "and 3 more; --limit shows them" in told.stdout


def test_what_kafka_has_deleted_cannot_be_told(stack: RunningStack) -> None:
    topic = create_topic(stack, partitions=1, config={"retention.ms": "3600000"})
    gone = deliver(stack, topic, events=3)
    kept = deliver(stack, topic, events=2)
    forget_before(stack, topic, offset=3)
    report = verify(stack, topic)
    assert report["ok"], report
    assert report["records"] == len(kept)
    assert report["counts"]["too_old"] == len(gone)
    assert datetime.fromisoformat(report["since"]) > datetime.now(UTC) - timedelta(hours=1)
    since = verify(stack, topic, "--from", "2026-01-01")
    assert since["ok"]
    assert since["counts"]["too_old"] == len(gone)


def test_a_message_that_a_consumer_has_passed_and_not_taken(
    stack: RunningStack, trial: Trial
) -> None:
    ids = deliver(stack, trial.topic, events=6)
    trial.wait_effects(6)
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(
            "delete from analytics.inbox where consumer = %s and message_id = %s",
            [trial.consumer, ids[3]],
        )
    report = verify(stack, trial.topic, "--consumer", trial.consumer)
    assert not report["ok"]
    [consumer] = report["consumers"]
    assert [UUID(each["id"]) for each in consumer["named"]] == [ids[3]]
    assert (consumer["taken"], consumer["missing"], consumer["waiting"]) == (5, 1, 0)


def test_what_is_parked_waiting_or_forgotten_is_told_apart(
    stack: RunningStack, trial: Trial
) -> None:
    record = Maker(stack).canary()
    old = Maker(stack).canary(message_id=id_from(timedelta(days=300)))
    produce(stack, trial.topic, [record, old])
    trial.wait_effects(1)
    wait_until("nothing is parked", lambda: len(trial.parked()) == 1, timeout_s=30)
    [consumer] = verify(stack, trial.topic, "--consumer", trial.consumer)["consumers"]
    assert (consumer["taken"], consumer["parked"], consumer["missing"]) == (1, 1, 0)

    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(
            "delete from analytics.parked_message where consumer = %s", [trial.consumer]
        )
    [consumer] = verify(stack, trial.topic, "--consumer", trial.consumer)["consumers"]
    assert (consumer["forgotten"], consumer["parked"], consumer["missing"]) == (1, 0, 0)

    for worker in list(trial.fleet.workers):
        trial.fleet.stop(worker)
    produce(stack, trial.topic, [Maker(stack).canary() for _ in range(4)])
    [consumer] = verify(stack, trial.topic, "--consumer", trial.consumer)["consumers"]
    assert (consumer["taken"], consumer["waiting"], consumer["missing"]) == (1, 4, 0)


def test_whatever_stands_for_an_id_what_is_parked_or_skipped_is_not_missing(
    stack: RunningStack, trial: Trial
) -> None:
    odd = (b"\xff\0", str(uuid4()).upper().encode())
    send(stack, trial.topic, [canary_of(stack, each) for each in odd])
    wait_until("not all is parked", lambda: len(trial.parked()) == len(odd), timeout_s=30)
    [consumer] = verify(stack, trial.topic, "--consumer", trial.consumer)["consumers"]
    assert (consumer["parked"], consumer["skipped"], consumer["missing"]) == (2, 0, 0)

    skip = ("parked", "skip", "--consumer", trial.consumer, "--why", "no ids", "--yes")
    stack.cli(*skip)
    [consumer] = verify(stack, trial.topic, "--consumer", trial.consumer)["consumers"]
    assert (consumer["parked"], consumer["skipped"], consumer["missing"]) == (0, 1, 0)


def test_what_came_too_late_is_not_missing_and_what_is_not_late_yet_is(
    stack: RunningStack, trial: Trial
) -> None:
    maker, now, taken = Maker(stack), datetime.now(UTC), new_id()
    expiries = (
        (maker.canary(), now - timedelta(minutes=1)),
        (maker.canary(message_id=taken), now + timedelta(hours=1)),
    )
    records = [
        replace(record, headers={**record.headers, "expires_at": moment.isoformat()})
        for record, moment in expiries
    ]
    produce(stack, trial.topic, records)
    trial.wait_effects(1)
    [consumer] = verify(stack, trial.topic, "--consumer", trial.consumer)["consumers"]
    assert (consumer["taken"], consumer["expired"], consumer["missing"]) == (1, 1, 0)

    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(
            "delete from analytics.inbox where consumer = %s and message_id = %s",
            [trial.consumer, taken],
        )
    [consumer] = verify(stack, trial.topic, "--consumer", trial.consumer)["consumers"]
    assert (consumer["taken"], consumer["expired"], consumer["missing"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--topic=order.event"], "Kafka has no topic order.event, and no outbox"),
        (["--topic=inventory.requests"], "requests that go to Kafka past the outboxes"),
        (["--topic=order.events", "--from=1h", "--to=2h"], "before it begins"),
        (["--topic=order.events", "--from=soon"], "neither a time"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    stack: RunningStack, arguments: list[str], why: str
) -> None:
    refused = stack.cli("outbox", "verify", *arguments, check=False)
    assert (refused.returncode, why in refused.stderr) == (2, True), refused.stderr


def test_of_a_topic_that_is_gone_there_is_nothing_to_read(stack: RunningStack) -> None:
    with TopicReader(stack.settings.kafka_bootstrap) as reader:
        assert reader.bounds_now("no.such.topic") == {}
        with pytest.raises(
            NoTopicError, match=r"no topic order\.event; did you mean order\.events"
        ):
            reader.bounds("order.event")


def deliver(stack: RunningStack, topic: str, *, events: int) -> Sequence[UUID]:
    """Have events of one key delivered, and return their ids."""
    canaries = Canaries(stack, topic)
    seen = sum(ends_of(stack, topic).values())
    with canaries.connect() as connection:
        ids = canaries.append(connection, str(new_id()), after_version=0, events=events)
    wait_until(
        "the events do not arrive",
        lambda: sum(ends_of(stack, topic).values()) == seen + events,
        timeout_s=30,
    )
    return ids


def remake(stack: RunningStack, topic: str) -> None:
    """Delete a topic with all its records, and make it anew."""
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    partitions = len(ends_of(stack, topic))
    [deleted] = admin.delete_topics([topic], operation_timeout=30).values()
    deleted.result()
    wait_until(
        "the topic is still there",
        lambda: topic not in admin.list_topics(timeout=10).topics,
        timeout_s=30,
    )
    create_topic(stack, name=topic, partitions=partitions)
    wait_until(
        "the topic is not there",
        lambda: topic in admin.list_topics(timeout=10).topics,
        timeout_s=30,
    )


def forget_before(stack: RunningStack, topic: str, *, offset: int) -> None:
    """Delete the oldest records of a topic's only partition."""
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    [deleted] = admin.delete_records([TopicPartition(topic, 0, offset)]).values()
    deleted.result()


def send(stack: RunningStack, topic: str, records: Sequence[RawRecord]) -> None:
    """Write records to the partitions where the originals lay, in this order."""
    producer = Producer(
        {"bootstrap.servers": stack.settings.kafka_bootstrap, "enable.idempotence": True}
    )
    for record in records:
        producer.produce(
            topic, record.value, record.key, record.partition, headers=list(record.headers)
        )
    assert producer.flush(30) == 0


def canary_of(stack: RunningStack, message_id: bytes) -> RawRecord:
    made = Maker(stack).canary()
    headers = (("ce_id", message_id), ("ce_type", made.headers["ce_type"].encode()))
    return RawRecord(0, made.key.encode(), made.value, headers)


def with_headers(record: RawRecord, **changes: str | None) -> RawRecord:
    """Return a record some of whose headers are others; None leaves one out."""
    headers = [
        (name, changes[name].encode() if name in changes else value)  # type: ignore[union-attr]
        for name, value in record.headers
        if changes.get(name, "") is not None
    ]
    return RawRecord(record.partition, record.key, record.value, tuple(headers))


def names(report: dict[str, Any], kind: str) -> set[UUID]:
    """Return the ids that a report names of a kind."""
    return {UUID(each["id"]) for each in report["named"].get(kind, [])}
