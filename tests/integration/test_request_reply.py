"""Requests over Kafka: answered, in time or not at all, whatever becomes of who answers and of the broker."""

import asyncio
import math
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented name
    NewPartitions,
)

from cdc.database import open_pool
from cdc.envelope import rfc3339
from cdc.ids import new_id
from cdc.kafka import new_admin
from cdc.kafka_record import Place
from cdc.partitioning import partition_of
from cdc.requests import replies
from cdc.requests.errors import RequestTimeoutError, TooManyRequestsError
from cdc.requests.requester import Requester
from infra.local.probe import wait_until
from infra.services import OWNER
from schemas.codec import Codec
from schemas.messages.canary import CanaryEmitted
from schemas.messages.orders import OrderCancelled
from schemas.messages.payments import PaymentCompleted
from schemas.registry import SchemaStore
from tests.asking import Asked
from tests.kafka import SeenRecord, ends_of, records_of
from tests.produce import Maker, NewRecord, produce
from tests.services import free_port
from tests.stack import RunningStack
from tests.workers import answering
from tests.workers.fleet import ROLE, Fleet
from tests.workers.process import WorkerProcess

PATIENT_S = 60.0
"""For requests of which none is to time out, on a machine that is busy with other things."""

Asking = Requester[PaymentCompleted]


class World:
    """A consumer that answers, its topics, and what it knows.

    Args:
        stack: The running stack.
        directory: Not used by a consumer that only answers.
        partitions: How many the topics of requests and replies have.
    """

    def __init__(self, stack: RunningStack, directory: Path, partitions: int = 4) -> None:
        self.stack = stack
        name = f"test-{new_id()}"
        self.asked = Asked.create(stack, name, partitions=partitions)
        self.fleet = Fleet(
            stack, directory, consumer=name, topic=self.asked.silent, partitions=partitions
        )
        with psycopg.connect(stack.database_url(OWNER)) as connection:
            connection.execute(answering.TABLE.encode())

    def start(self, port: int | None = None) -> WorkerProcess:
        """Start a worker, and wait until it answers."""
        variables = {**self.asked.variables(), "TAILRACE_PORT": str(port or free_port())}
        worker = self.fleet.launch(answering.MODULE, **variables)
        self.fleet.workers.append(worker)
        self.fleet.wait_until("the worker does not answer", worker.is_ready)
        return worker

    def kill(self, worker: WorkerProcess) -> None:
        self.fleet.workers.remove(worker)
        worker.kill()

    def amounts(self, count: int, *, sleep_s: float = 0.0) -> dict[UUID, Decimal]:
        """Return ids that a worker knows an amount of, which it takes so long to find."""
        made = {new_id(): Decimal(number) for number in range(1, count + 1)}
        with psycopg.connect(self.stack.database_url(OWNER)) as connection:
            connection.cursor().executemany(
                "insert into analytics.answering_amount values (%s, %s, %s)",
                [(each, amount, sleep_s) for each, amount in made.items()],
            )
        return made

    def asks(self, asking: Callable[[Asking], Awaitable[None]], **options: Any) -> None:
        """Run what asks, with a requester that has started."""

        async def run() -> None:
            async with self.asked.requester(self.stack, **options) as requester:
                await asking(requester)

        asyncio.run(run())

    def requests(self) -> list[SeenRecord]:
        """Return all requests that were sent."""
        return [
            each
            for copies in records_of(self.stack, self.asked.requests).values()
            for each in copies
        ]

    def reply(self, request: SeenRecord) -> None:
        """Answer a request as an ordinary service would: with the headers that say what it is the reply to."""
        amount = Decimal(7)
        content = payment(UUID(request.headers["ce_id"]), amount)
        record = Maker(self.stack).record(content, key=(request.key or b"").decode())
        cause = {"causation_id": request.headers["ce_id"] or ""}
        with_cause = NewRecord(
            key=record.key, value=record.value, headers={**record.headers, **cause}
        )
        produce(self.stack, self.asked.replies, [with_cause])


def question(id_: UUID | None = None) -> CanaryEmitted:
    return CanaryEmitted(canary_id=id_ or new_id(), emitted_at=datetime.now(UTC))


def payment(id_: UUID, amount: Decimal) -> PaymentCompleted:
    return PaymentCompleted(
        payment_id=id_, order_id=id_, currency="EUR", amount=amount, completed_at=datetime.now(UTC)
    )


def counts_of(worker: WorkerProcess) -> dict[str, Any]:
    """Return what a worker says that became of requests."""
    counts: dict[str, Any] = (worker.health() or {})["answers"]
    return counts


def answered(worker: WorkerProcess) -> int:
    return int(counts_of(worker)["answered"].get(CanaryEmitted.NAME, 0))


async def amounts_of(requester: Asking, ids: Sequence[UUID]) -> dict[UUID, Decimal]:
    """Ask for all at once."""
    replies = await asyncio.gather(
        *(requester.request(question(each), timeout_s=PATIENT_S) for each in ids)
    )
    return {reply.payment_id: reply.amount for reply in replies}


@pytest.fixture
def world(stack: RunningStack, tmp_path: Path) -> Iterator[World]:
    made = World(stack, tmp_path)
    with made.fleet.at_work(), made.asked.declared():
        yield made


def test_a_question_is_answered_from_the_database(world: World) -> None:
    worker = world.start()
    known = world.amounts(3)

    async def asking(requester: Asking) -> None:
        assert await amounts_of(requester, list(known)) == known
        assert (requester.counts.sent, requester.counts.replied) == (3, 3)
        assert (requester.counts.late, requester.in_flight) == (0, 0)

    world.asks(asking)
    assert answered(worker) == 3
    replies = [
        each for copies in records_of(world.stack, world.asked.replies).values() for each in copies
    ]
    requests = {each.headers["ce_id"]: each for each in world.requests()}
    for reply in replies:
        request = requests[reply.headers["causation_id"]]
        assert reply.key == request.key
        assert reply.headers["correlation_id"] == request.headers["correlation_id"]
        assert reply.headers["ce_source"] == f"/{world.asked.consumer}"
        assert request.headers["reply_to"] == world.asked.replies


def test_who_answers_cannot_write(stack: RunningStack) -> None:
    async def run() -> None:
        async with (
            open_pool(stack.database_url(ROLE), reads_only=True) as pool,
            pool.connection() as c,
        ):
            await c.execute("select 1")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                await c.execute("create table written ()")

    asyncio.run(run())


def test_a_reply_that_does_not_come_is_a_timeout_that_says_whose(world: World) -> None:
    worker = world.start()
    [slow] = world.amounts(1, sleep_s=30)

    async def asking(requester: Asking) -> None:
        with pytest.raises(RequestTimeoutError) as told:
            await requester.request(question(slow), timeout_s=0.5)
        said = str(told.value)
        assert f"the test did not answer {CanaryEmitted.NAME}" in said
        assert f"on {world.asked.requests} within 0.5 s" in said
        assert world.asked.consumer in said
        assert requester.counts.timed_out == 1
        assert requester.in_flight == 0

    world.asks(asking)
    # the question was begun, and given up when nobody waited any more
    wait_until("it is not given up", lambda: bool(counts_of(worker)["expired"]), timeout_s=30)
    assert counts_of(worker)["answered"] == {}


def test_a_time_that_is_none_or_longer_than_a_day_is_refused(world: World) -> None:
    async def asking(requester: Asking) -> None:
        for timeout_s in (math.nan, math.inf, 1e308, 86_401.0):
            with pytest.raises(ValueError, match="a day at most"):
                await requester.request(question(), timeout_s=timeout_s)

    world.asks(asking)
    assert world.requests() == []


def test_a_late_reply_is_discarded_and_counted(world: World) -> None:
    async def asking(requester: Asking) -> None:
        with pytest.raises(RequestTimeoutError):
            await requester.request(question(), timeout_s=0.3)
        [request] = world.requests()
        assert requester.counts.late == 0
        await asyncio.to_thread(world.reply, request)
        await until("no late reply", lambda: requester.counts.late == 1)
        later = asyncio.create_task(requester.request(question(), timeout_s=PATIENT_S))
        await until("it is not sent", lambda: requester.counts.sent == 2)
        [after] = [each for each in await asyncio.to_thread(world.requests) if each != request]
        await asyncio.to_thread(world.reply, after)
        assert (await later).payment_id == UUID(after.headers["ce_id"])
        assert requester.counts.late == 1

    world.asks(asking)


def test_an_expired_request_is_dropped_and_counted(world: World) -> None:
    known = world.amounts(5)

    async def asking(requester: Asking) -> None:
        asked = (requester.request(question(each), timeout_s=0.3) for each in known)
        failed = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in failed} == {RequestTimeoutError}

    world.asks(asking)
    assert len(world.requests()) == 5
    worker = world.start()
    world.fleet.wait_until(
        "not all are dropped",
        lambda: counts_of(worker)["expired"] == {CanaryEmitted.NAME: 5},
    )
    assert counts_of(worker)["answered"] == {}
    assert sum(ends_of(world.stack, world.asked.replies).values()) == 0


def test_what_is_no_request_is_dropped_and_counted(world: World) -> None:
    worker = world.start()
    [known] = world.amounts(1)
    stack, in_time = world.stack, datetime.now(UTC) + timedelta(minutes=5)
    good = {"reply_to": world.asked.replies, "expires_at": rfc3339(in_time).decode()}
    record = Maker(stack).record(question(known), key="k")
    unanswered = Codec(
        SchemaStore(stack.settings.registry_url, stack.settings.schema_cache), [OrderCancelled]
    )
    strange = unanswered.encode(
        OrderCancelled(
            order_id=known,
            reason="r",
            currency="EUR",
            total=Decimal(1),
            cancelled_at=datetime.now(UTC),
        )
    )

    def altered(headers: Mapping[str, str], value: bytes | None = record.value) -> NewRecord:
        return NewRecord(key="k", value=value, headers={**record.headers, **headers})

    before = sum(ends_of(stack, "order.events").values())
    produce(
        stack,
        world.asked.requests,
        [
            altered({"expires_at": good["expires_at"]}),
            altered({"reply_to": good["reply_to"]}),
            altered(good | {"reply_to": "order.events"}),
            altered(good | {"reply_to": "nowhere"}),
            altered(good | {"expires_at": "soon"}),
            altered(good | {"ce_id": "?"}),
            altered(good | {"ce_type": OrderCancelled.NAME}),
            altered(good, strange),
            altered(good, b"no message"),
            altered(good, None),
            altered(good),
        ],
    )
    world.fleet.wait_until("the last is not answered", lambda: answered(worker) == 1)
    world.fleet.wait_until("not all are dropped", lambda: counts_of(worker)["malformed"] == 10)
    assert sum(ends_of(stack, world.asked.replies).values()) == 1
    assert sum(ends_of(stack, "order.events").values()) == before


def test_an_answer_that_fails_is_counted_and_holds_up_nobody(world: World) -> None:
    worker = world.start()
    known = world.amounts(20)

    async def asking(requester: Asking) -> None:
        unknown = [requester.request(question(), timeout_s=3) for _ in range(5)]
        failed = asyncio.gather(*unknown, return_exceptions=True)
        assert await amounts_of(requester, list(known)) == known
        assert {type(each) for each in await failed} == {RequestTimeoutError}

    world.asks(asking)
    assert counts_of(worker)["failed"] == {CanaryEmitted.NAME: 5}
    assert answered(worker) == 20


def test_a_thousand_wait_at_once_and_no_more_than_may(world: World) -> None:
    known = world.amounts(1000)

    async def asking(requester: Asking) -> None:
        waiting = asyncio.create_task(amounts_of(requester, list(known)))
        await until("not all are sent", lambda: requester.counts.sent == 1000)
        assert requester.in_flight == 1000
        with pytest.raises(TooManyRequestsError, match="1000 requests wait"):
            await requester.request(question(), timeout_s=1)
        await asyncio.to_thread(world.start)
        assert await waiting == known
        assert (requester.counts.sent, requester.counts.replied) == (1000, 1000)

    world.asks(asking)


def test_a_responder_that_is_killed_and_started_again_answers_what_still_waits(
    world: World,
) -> None:
    port = free_port()
    first = world.start(port)
    known = world.amounts(300, sleep_s=0.02)

    async def asking(requester: Asking) -> None:
        waiting = asyncio.create_task(amounts_of(requester, list(known)))
        await until("few are answered", lambda: requester.counts.replied >= 20)
        await asyncio.to_thread(world.kill, first)
        assert requester.in_flight > 0
        second = await asyncio.to_thread(world.start, port)
        assert await waiting == known
        assert await asyncio.to_thread(answered, second) > 0

    world.asks(asking)
    assert first.status == -signal.SIGKILL


def test_requests_are_answered_while_partitions_go_from_one_to_another(world: World) -> None:
    first = world.start()
    [one] = world.amounts(1)

    async def asking(requester: Asking) -> None:
        ended = asyncio.Event()

        async def go_on() -> int:
            count = 0
            while not ended.is_set():
                assert await amounts_of(requester, [one]) == {one: Decimal(1)}
                count += 1
            return count

        asking_on = [asyncio.create_task(go_on()) for _ in range(8)]
        second = await asyncio.to_thread(world.start)
        await until("the second does not answer", lambda: answered(second) > 0)
        await asyncio.to_thread(world.fleet.stop, first)
        so_far = await asyncio.to_thread(answered, second)
        await until("it does not answer alone", lambda: answered(second) > so_far + 100)
        third = await asyncio.to_thread(world.start)
        await until("the third does not answer", lambda: answered(third) > 0)
        ended.set()
        asked = sum(await asyncio.gather(*asking_on))
        assert requester.counts.replied == asked
        assert requester.counts.timed_out == 0

    world.asks(asking)


def test_who_asks_sees_no_replies_of_others(stack: RunningStack, tmp_path: Path) -> None:
    world = World(stack, tmp_path, partitions=1)  # where both lie in one partition
    with world.fleet.at_work(), world.asked.declared():
        world.start()
        ours, theirs = world.amounts(100), world.amounts(100)

        async def run() -> None:
            async with (
                world.asked.requester(stack) as one,
                world.asked.requester(stack) as other,
            ):
                found = await asyncio.gather(
                    amounts_of(one, list(ours)), amounts_of(other, list(theirs))
                )
                assert [*found] == [ours, theirs]
                assert (one.counts.replied, other.counts.replied) == (100, 100)
                assert (one.counts.late, other.counts.late) == (0, 0)

        asyncio.run(run())
        assert ends_of(stack, world.asked.replies) == {0: 200}


def test_replies_are_found_again_when_their_topic_gets_more_partitions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "PARTITIONS_EVERY_S", 0.5)
    world.start()
    [one] = world.amounts(1)

    async def asking(requester: Asking) -> None:
        key, before = requester._key.encode(), world.asked.partitions
        assert len(await amounts_of(requester, [one])) == 1
        more = next(n for n in range(before, 50) if partition_of(key, n) >= before)
        admin = new_admin(world.stack.settings.kafka_bootstrap)
        [grown] = admin.create_partitions([NewPartitions(world.asked.replies, more)]).values()
        await asyncio.to_thread(grown.result)
        new = Place(world.asked.replies, partition_of(key, more))
        await until("it does not read elsewhere", lambda: requester._reader._position == (new, 0))
        async with asyncio.timeout(PATIENT_S):
            while True:
                with suppress(RequestTimeoutError):
                    await requester.request(question(one), timeout_s=1)
                    break
        assert await amounts_of(requester, [one]) == {one: Decimal(1)}
        where = {
            each.partition
            for copies in records_of(world.stack, world.asked.replies).values()
            for each in copies
            if each.key == key
        }
        assert where == {partition_of(key, before), new.partition}

    world.asks(asking)


def test_without_a_broker_a_request_fails_in_time_and_afterwards_goes_on(world: World) -> None:
    world.start()
    [one] = world.amounts(1)

    async def asking(requester: Asking) -> None:
        assert len(await amounts_of(requester, [one])) == 1
        await asyncio.to_thread(world.stack.stop, "kafka")
        begun_at = time.monotonic()
        with pytest.raises(RequestTimeoutError, match=r"Kafka has not confirmed|cannot be read"):
            await requester.request(question(one), timeout_s=1)
        assert time.monotonic() - begun_at < 5
        await asyncio.to_thread(world.stack.start, "kafka")
        assert len(await amounts_of(requester, [one])) == 1

    world.asks(asking)


def test_who_answers_joins_anew_when_the_broker_was_away_for_longer_than_a_session(
    world: World,
) -> None:
    world.start()
    [one] = world.amounts(1)

    async def asking(requester: Asking) -> None:
        assert len(await amounts_of(requester, [one])) == 1
        await asyncio.to_thread(world.stack.stop, "kafka")
        await until("nothing is lost", lambda: "is joined anew" in world.fleet.logs())
        await asyncio.to_thread(world.stack.start, "kafka")
        assert len(await amounts_of(requester, [one])) == 1
        # or it would have waited until the broker gives up the member that it was
        assert "removed from the group the member that was lost" in world.fleet.logs()

    world.asks(asking)


def test_a_requester_that_starts_without_a_broker_goes_on_when_there_is_one(world: World) -> None:
    [one] = world.amounts(1)
    world.start()
    world.stack.stop("kafka")

    async def asking(requester: Asking) -> None:
        with pytest.raises(RequestTimeoutError, match="it was not sent, as replies cannot be read"):
            await requester.request(question(one), timeout_s=0.5)
        assert requester.counts.sent == 0
        await asyncio.to_thread(world.stack.start, "kafka")
        assert len(await amounts_of(requester, [one])) == 1

    world.asks(asking)


async def until(what: str, probe: Callable[[], bool]) -> None:
    """Wait for something while the event loop goes on."""
    await asyncio.to_thread(wait_until, what, probe, timeout_s=PATIENT_S)
