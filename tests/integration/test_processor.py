"""Batches applied on a real Postgres: an effect once, whatever is delivered again, and all of a batch or nothing."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from cdc.database import Connection, open_pool
from cdc.ids import new_id
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import Delivery, MalformedRecordError
from consumers.runtime.inbox import admit
from consumers.runtime.processor import Processor, UnhandledTypeError
from schemas.codec import Codec, UndecodableError
from schemas.messages.canary import CanaryEmitted
from schemas.messages.payments import PaymentCompleted
from schemas.registry import SchemaStore
from tests.stack import RunningStack


@dataclass(frozen=True)
class StoredRecord:
    """A record as it comes from Kafka."""

    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    topic: str = "canary.events"
    partition: int = 0
    timestamp: int = 0
    timestamp_type: int = 0
    key: bytes | None = b"k"


class Scenario:
    """A consumer with its own name, whose handler writes one row an effect."""

    def __init__(self, stack: RunningStack) -> None:
        settings = stack.settings
        self.name = f"test-{new_id()}"
        self.url = stack.database_url("analytics")
        self.fails_at: UUID | None = None
        store = SchemaStore(settings.registry_url, settings.schema_cache)
        self.codec = Codec(store, [CanaryEmitted, PaymentCompleted])
        self.consumer = Consumer(name=self.name, handlers={CanaryEmitted: self.note})

    async def note(self, canary: CanaryEmitted, delivery: Delivery, connection: Connection) -> None:
        """Write a row that is there once for each effect; fail at the message told to fail at."""
        await connection.execute(
            "insert into orders_per_minute (minute, currency, placed, confirmed, cancelled, revenue)"
            " values (%s, 'XXX', 1, 0, 0, 0)"
            " on conflict (minute, currency) do update set placed = orders_per_minute.placed + 1",
            [canary.emitted_at],
        )
        if canary.canary_id == self.fails_at:
            raise ZeroDivisionError("the handler fails")

    def records(self, count: int, first_offset: int = 0) -> list[StoredRecord]:
        """Return records with ids of their own, all of one instant that no other scenario uses."""
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=secrets.randbelow(10**9))
        return [self.record(first_offset + number, at) for number in range(count)]

    def record(self, offset: int, at: datetime) -> StoredRecord:
        canary = CanaryEmitted(canary_id=new_id(), emitted_at=at)
        headers = {
            "ce_id": str(canary.canary_id),
            "ce_type": CanaryEmitted.NAME,
            "correlation_id": str(new_id()),
        }
        return StoredRecord(
            offset, self.codec.encode(canary), [(k, v.encode()) for k, v in headers.items()]
        )

    def apply(self, *batches: Sequence[StoredRecord]) -> None:
        async def run() -> None:
            async with open_pool(self.url) as pool:
                for batch in batches:
                    await Processor(self.consumer, pool, self.codec).apply(batch)

        asyncio.run(run())

    def effects(self, batch: Sequence[StoredRecord]) -> int:
        message = self.codec.decode(batch[0].value or b"")
        assert isinstance(message, CanaryEmitted)
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "select sum(placed) from orders_per_minute where minute = %s", [message.emitted_at]
            ).fetchone()
        return int(row[0] or 0) if row else 0

    def progress(self) -> tuple[int, int, int] | None:
        with psycopg.connect(self.url) as connection:
            return connection.execute(
                "select next_offset, applied, duplicates from consumer_offset where consumer = %s",
                [self.name],
            ).fetchone()


@pytest.fixture
def scenario(stack: RunningStack) -> Scenario:
    return Scenario(stack)


def test_a_batch_takes_effect_and_its_place_is_noted(scenario: Scenario) -> None:
    batch = scenario.records(3)
    scenario.apply(batch)
    assert scenario.effects(batch) == 3
    assert scenario.progress() == (3, 3, 0)


def test_a_batch_delivered_again_takes_no_effect_and_is_counted(scenario: Scenario) -> None:
    batch = scenario.records(3)
    scenario.apply(batch, batch, batch[1:])
    assert scenario.effects(batch) == 3
    assert scenario.progress() == (3, 3, 5)


def test_a_message_twice_in_one_batch_takes_effect_once(scenario: Scenario) -> None:
    batch = scenario.records(2)
    scenario.apply([*batch, replace(batch[0], offset=2)])
    assert scenario.effects(batch) == 2
    assert scenario.progress() == (3, 2, 1)


def test_a_failing_message_leaves_nothing_of_its_batch_and_the_next_try_all(
    scenario: Scenario,
) -> None:
    batch = scenario.records(3)
    scenario.fails_at = Delivery.of(batch[2]).message_id
    with pytest.raises(ZeroDivisionError):
        scenario.apply(batch)
    assert scenario.effects(batch) == 0
    assert scenario.progress() is None
    scenario.fails_at = None
    scenario.apply(batch)
    assert scenario.effects(batch) == 3


def test_consumers_do_not_take_each_others_messages(stack: RunningStack) -> None:
    first, second = Scenario(stack), Scenario(stack)
    batch = first.records(1)
    first.apply(batch)
    second.apply(batch)
    assert first.effects(batch) == 2


def test_a_type_nobody_decided_about_is_an_error(scenario: Scenario) -> None:
    [record] = scenario.records(1)
    other = [(k, b"orders.OrderCreated" if k == "ce_type" else v) for k, v in record.headers]
    with pytest.raises(UnhandledTypeError, match=r"orders\.OrderCreated"):
        scenario.apply([replace(record, headers=other)])


def test_an_ignored_type_moves_the_place_on(scenario: Scenario) -> None:
    [record] = scenario.records(1)
    scenario.consumer = Consumer(
        name=scenario.name, handlers={}, ignores=frozenset({CanaryEmitted})
    )
    scenario.apply([record])
    assert scenario.effects([record]) == 0
    assert scenario.progress() == (1, 1, 0)


def test_bytes_that_are_no_message_leave_nothing_of_the_batch(scenario: Scenario) -> None:
    batch = scenario.records(2)
    with pytest.raises(UndecodableError):
        scenario.apply([batch[0], replace(batch[1], value=b"junk, not Avro")])
    with pytest.raises(MalformedRecordError):
        scenario.apply([batch[0], replace(batch[1], headers=[])])
    assert scenario.effects(batch) == 0


def test_the_inbox_refuses_to_work_outside_a_transaction(scenario: Scenario) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(scenario.url) as connection:
            await admit(connection, scenario.name, [new_id()])

    with pytest.raises(RuntimeError, match="transaction"):
        asyncio.run(run())
