"""How due webhooks are sent: by several workers at once, in the order of each key, one endpoint apart from another."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from cdc.chores import cancel
from cdc.context import MessageContext
from cdc.ids import new_id
from consumers.webhooks import dispatch
from consumers.webhooks.dispatch import AT_ONCE, NOT_SWIFT, OF_ENDPOINT, OF_HOST, Dispatcher, forget
from producers.webhooks import handlers, signing
from producers.webhooks.addresses import Policy
from producers.webhooks.sealing import Seal
from schemas.messages.webhooks import EndpointDisabled
from tailrace import PostgresDatabase, RequestWork, UnitOfWork
from tests.receiver import Receiver, Request, answer
from tests.stack import RunningStack

SEAL = Seal(b"k" * 32)
OVER = "select 1 from delivery having count(*) filter (where status = 'pending') = 0"


class Desk:
    """Endpoints and deliveries in a schema of their own, and workers that send them."""

    def __init__(self, database: PostgresDatabase) -> None:
        self.database = database

    async def run(self, statement: str, *values: Any) -> list[Any]:
        async with self.database.pool.connection() as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def found(self, statement: str, *values: Any) -> list[Any]:
        """Ask until something is found."""
        while True:
            if rows := await self.run(statement, *values):
                return rows
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[UnitOfWork]:
        """Work as a request does."""
        async with self.database.pool.connection() as connection, connection.transaction():
            yield RequestWork(
                connection, self.database.outbox(), MessageContext(correlation_id=new_id())
            )

    async def endpoint(self, url: str, *, in_order: bool = True) -> UUID:
        endpoint_id = new_id()
        await self.run(
            "insert into endpoint (endpoint_id, url, event_types, filter, in_order, signing, key)"
            " values (%s, %s, '{}', %s, %s, 'hmac-sha256', %s)",
            endpoint_id,
            url,
            Jsonb({}),
            in_order,
            SEAL.seal(signing.new_secret(), endpoint_id),
        )
        return endpoint_id

    async def deliveries(self, endpoint_id: UUID, *keys: str) -> None:
        """Add deliveries, whose bodies are their numbers."""
        for number, key in enumerate(keys):
            await self.run(
                "insert into delivery (endpoint_id, webhook_id, event_type, key, event_at, body)"
                " values (%s, %s, 'x', %s, now(), %s)",
                endpoint_id,
                new_id(),
                key,
                json.dumps({"key": key, "number": number}),
            )

    async def statuses(self, endpoint_id: UUID) -> list[str]:
        rows = await self.run(
            "select status from delivery where endpoint_id = %s order by delivery_id", endpoint_id
        )
        return [status for (status,) in rows]

    def worker(self, *, timeout_s: float = 20) -> Dispatcher:
        outbox = self.database.outbox([EndpointDisabled])
        policy = Policy(loopback=True)
        return Dispatcher(self.database.pool, outbox, policy, SEAL, timeout_s=timeout_s)


@asynccontextmanager
async def desk(stack: RunningStack) -> AsyncIterator[Desk]:
    database = PostgresDatabase(
        owner_url=stack.database_url("tailrace_owner"),
        url=stack.database_url("webhooks"),
        packages=["producers.webhooks.migrations"],
    )
    async with database:
        yield Desk(database)


def play(stack: RunningStack, scene: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        async with desk(stack) as opened:
            await scene(opened)

    asyncio.run(run())


@asynccontextmanager
async def held(then: bytes = answer(200)) -> AsyncIterator[tuple[Receiver, asyncio.Event]]:
    """Give a receiver that answers nobody before an event is set."""
    released = asyncio.Event()

    async def waits(request: Request) -> bytes:
        await released.wait()
        return then

    async with Receiver(waits).open() as receiver:
        yield receiver, released
        released.set()


@asynccontextmanager
async def working(desk: Desk) -> AsyncIterator[None]:
    """Have a worker send what is due, again and again, while the block runs."""

    async def work() -> None:
        while True:
            await desk.worker().send_due()
            await asyncio.sleep(0.05)

    sending = asyncio.create_task(work())
    try:
        yield
    finally:
        await cancel([sending])


def told(requests: list[Request]) -> list[tuple[str, int]]:
    return [tuple(json.loads(each.body).values()) for each in requests]


def test_several_workers_send_each_once_and_those_of_a_key_in_order(stack: RunningStack) -> None:
    open_keys: set[str] = set()

    async def reply(request: Request) -> bytes:
        key = json.loads(request.body)["key"]
        assert key not in open_keys, "two of one key were under way at once"
        open_keys.add(key)
        await asyncio.sleep(0)
        open_keys.discard(key)
        return answer(200)

    async def scene(desk: Desk) -> None:
        async with Receiver(reply).open() as receiver:
            endpoint_id = await desk.endpoint(receiver.url)
            await desk.deliveries(endpoint_id, *["abc"[number % 3] for number in range(30)])
            await asyncio.gather(*(desk.worker().send_due() for _ in range(3)))
            while set(await desk.statuses(endpoint_id)) != {"delivered"}:
                await desk.worker().send_due()
            assert len(receiver.requests) == 30
            for key in "abc":
                numbers = [number for each, number in told(receiver.requests) if each == key]
                assert numbers == sorted(numbers)

    play(stack, scene)


def test_a_failure_keeps_its_key_waiting_unless_the_endpoint_wants_no_order(
    stack: RunningStack,
) -> None:
    async def reply(request: Request) -> bytes:
        return answer(500 if json.loads(request.body)["number"] == 0 else 200)

    async def scene(desk: Desk) -> None:
        async with Receiver(reply).open() as receiver:
            ordered = await desk.endpoint(receiver.url)
            loose = await desk.endpoint(receiver.url, in_order=False)
            for endpoint_id in (ordered, loose):
                await desk.deliveries(endpoint_id, "a", "a", "b")
            await desk.worker().send_due()
            assert await desk.statuses(ordered) == ["pending", "pending", "delivered"]
            assert await desk.statuses(loose) == ["pending", "delivered", "delivered"]
            [[attempts, wait_s]] = await desk.run(
                "select attempts, extract(epoch from due_at - clock_timestamp()) from delivery"
                " where endpoint_id = %s and attempts > 0 and status = 'pending'",
                ordered,
            )
            assert attempts == 1
            assert 0 < wait_s < 6

    play(stack, scene)


def test_one_that_keeps_us_waiting_blocks_no_other(stack: RunningStack) -> None:
    released = asyncio.Event()

    async def waits(request: Request) -> bytes:
        await released.wait()
        return answer(200)

    async def scene(desk: Desk) -> None:
        async with Receiver(waits).open() as slow, Receiver().open() as quick:
            blocked, free = await desk.endpoint(slow.url), await desk.endpoint(quick.url)
            await desk.deliveries(blocked, *map(str, range(200)))
            await desk.deliveries(free, *map(str, range(20)))
            sending = asyncio.create_task(desk.worker().send_due())
            await quick.until(lambda requests: len(requests) == 20)
            await slow.until(lambda requests: len(requests) == OF_ENDPOINT)
            assert len(slow.requests) == OF_ENDPOINT
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            [[leased, attempts]] = await desk.run(
                "select count(leased_until), sum(attempts) from delivery where endpoint_id = %s",
                blocked,
            )
            assert (leased, attempts) == (0, 0), "what was broken off was not released"
            released.set()

    play(stack, scene)


@pytest.mark.parametrize("so_far", ["new", "swift"])
def test_many_that_keep_us_waiting_keep_nobody_else_waiting(
    stack: RunningStack, so_far: str
) -> None:
    """More of them than there are places, each at a host of its own; none of their calls is over before the others'."""
    hosts = [f"127.0.1.{number}" for number in range(1, AT_ONCE + 2)]

    async def scene(desk: Desk) -> None:
        async with (
            held() as (waiting, _),
            waiting.also_at(hosts) as urls,
            Receiver().open() as well,
        ):
            for url in urls:
                await desk.deliveries(await desk.endpoint(url), "a", "b")
            free = await desk.endpoint(well.url)
            await desk.run("update endpoint set is_swift = %s", so_far == "swift")
            await desk.run("update endpoint set is_swift = true where endpoint_id = %s", free)
            async with working(desk):
                await waiting.until(lambda requests: len(requests) >= NOT_SWIFT)
                await desk.deliveries(free, *map(str, range(20)))
                await well.until(lambda requests: len(requests) == 20)
                [[over]] = await desk.run("select count(*) from attempt where status is null")
                assert over == 0

    play(stack, scene)


def test_a_host_has_its_part_however_many_endpoints_it_has(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        async with held() as (waiting, _), Receiver().open() as well:
            for _ in range(2 * OF_HOST):
                await desk.deliveries(await desk.endpoint(waiting.url), "a")
            async with waiting.also_at(["127.0.1.1"]) as [other], working(desk):
                await waiting.until(lambda requests: len(requests) == OF_HOST)
                await desk.deliveries(await desk.endpoint(other), "a")
                await waiting.until(lambda requests: len(requests) > OF_HOST)
                at_host = [each for each in waiting.requests if "127.0.0.1" in each.headers["host"]]
                assert len(at_host) == OF_HOST
                assert well.requests == []

    play(stack, scene)


def test_where_too_many_take_long_those_are_broken_off_that_had_the_most_time(
    stack: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "LONG_AT_ONCE", 2)
    monkeypatch.setattr(dispatch, "SWIFT_S", 0.2)

    async def scene(desk: Desk) -> None:
        async with held() as (waiting, _):
            first = await desk.endpoint(waiting.url, in_order=False)
            await desk.deliveries(first, *"aaaaa")
            async with working(desk):
                await waiting.until(lambda requests: len(requests) == 5)
                # several at once
                await desk.found("select 1 from attempt having count(*) >= 3")
                later = await desk.endpoint(waiting.url)
                await desk.deliveries(later, "b")
                attempts = await desk.found(
                    "select error, endpoint_id from attempt join delivery using (delivery_id)"
                    " where (select count(*) from attempt) >= 4"
                )
                assert {endpoint_id for _, endpoint_id in attempts} == {first}
                assert all(error.startswith("no answer within ") for error, _ in attempts)
                [[at_work]] = await desk.run(
                    "select count(*) from delivery where leased_until > now()"
                )
                assert at_work == 2, "others were broken off with them"

    play(stack, scene)


def test_what_was_under_way_when_an_endpoint_moved_says_nothing_of_where_it_is_now(
    stack: RunningStack,
) -> None:
    async def scene(desk: Desk) -> None:
        async with held(answer(410)) as (former, released), Receiver().open() as present:
            endpoint_id = await desk.endpoint(former.url)
            await desk.deliveries(endpoint_id, "a", "a")
            async with working(desk):
                await former.until(bool)
                await desk.run("update delivery set attempts = 9 where leased_until is not null")
                async with desk.work() as work:
                    await handlers.change(endpoint_id, {"url": present.url}, work)
                released.set()
                await desk.found(OVER)
            assert told(present.requests) == [("a", 0), ("a", 1)]
            assert await desk.run("select disabled_reason, failing_since from endpoint") == [
                (None, None)
            ]
            # the first one at the former URL was no attempt at this one
            assert await desk.run("select attempts from delivery order by 1") == [(1,), (1,)]

    play(stack, scene)


def test_nothing_is_left_of_a_deleted_endpoint(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        async with held() as (waiting, released):
            deleted, other = await desk.endpoint(waiting.url), await desk.endpoint(waiting.url)
            await desk.deliveries(deleted, "a", "b")
            await desk.deliveries(other, "a")
            async with working(desk):
                await waiting.until(lambda requests: len(requests) == 3)
                async with desk.work() as work:
                    await handlers.delete(deleted, work)
                await desk.run("update endpoint set deleted_at = deleted_at - interval '1 day'")
                await forget(desk.database.pool, timedelta(days=13))
                [[kept]] = await desk.run("select count(*) from delivery")
                assert kept == 3, "somebody is at them"
                released.set()
                await desk.found("select 1 from attempt having count(*) = 3")
            await desk.run("update delivery set leased_until = clock_timestamp()")
            await forget(desk.database.pool, timedelta(days=13))
            assert await desk.run("select endpoint_id from endpoint") == [(other,)]
            assert await desk.run("select distinct endpoint_id from delivery") == [(other,)]

    play(stack, scene)


def test_a_busy_endpoint_is_left_alone_and_a_gone_one_is_told_of(stack: RunningStack) -> None:
    async def reply(request: Request) -> bytes:
        return answer(429, retry_after="3600")

    async def scene(desk: Desk) -> None:
        async with Receiver(reply).open() as receiver:
            busy, long_ill = await desk.endpoint(receiver.url), await desk.endpoint(receiver.url)
            await desk.deliveries(busy, "a")
            await desk.worker().send_due()
            await desk.deliveries(busy, "b")
            await desk.worker().send_due()
            assert told(receiver.requests) == [("a", 0)]
            await desk.deliveries(long_ill, "a", "b")
            await desk.run(
                "update endpoint set failing_since = now() - interval '5 days' where endpoint_id = %s",
                long_ill,
            )
            await desk.worker().send_due()
            assert await desk.statuses(long_ill) == ["skipped", "skipped"]
            [[type_, key]] = await desk.run("select type, aggregate_id from outbox")
            assert (type_, key) == (EndpointDisabled.NAME, str(long_ill))

    play(stack, scene)


def test_a_call_that_ends_well_does_not_end_what_another_was_asked_for(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        released = asyncio.Event()

        async def reply(request: Request) -> bytes:
            [(key, _)] = told([request])
            if key == "busy":
                return answer(429, retry_after="3600")
            await released.wait()
            return answer(200) if key == "well" else answer(500)

        async with Receiver(reply).open() as receiver:
            endpoint_id = await desk.endpoint(receiver.url)
            await desk.deliveries(endpoint_id, "well", "ill", "busy")
            async with working(desk):
                await desk.found("select 1 from endpoint where slowed_until is not null")
                released.set()
                await desk.found("select 1 from attempt having count(*) = 3")
                await desk.deliveries(endpoint_id, "later")
                await asyncio.sleep(1)
            assert len(receiver.requests) == 3, "it was called again"

    play(stack, scene)


def test_what_a_dead_worker_had_leased_is_sent_when_the_lease_is_over(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        async with Receiver().open() as receiver:
            endpoint_id = await desk.endpoint(receiver.url)
            await desk.deliveries(endpoint_id, "a", "a")
            leased, *others = await desk.worker()._lease([])
            assert not others, "the second of the key was leased beside the first"
            await desk.worker().send_due()
            assert receiver.requests == []
            await desk.run("update delivery set leased_until = leased_until - interval '31 s'")
            await desk.worker().send_due()
            assert told(receiver.requests) == [("a", 0), ("a", 1)]
            # the first worker was only asleep: what it has to say comes too late
            outcome = await desk.worker()._call(leased, asyncio.timeout(5))
            await desk.worker()._settle(leased, outcome)
            assert await desk.statuses(endpoint_id) == ["delivered", "delivered"]
            assert len({each.headers["webhook-id"] for each in receiver.requests}) == 2
            await desk.run("update delivery set finished_at = now() - interval '14 days'")
            await forget(desk.database.pool, timedelta(days=13))
            assert (
                await desk.run("select from delivery")
                == await desk.run("select from attempt")
                == []
            )

    play(stack, scene)


def test_a_key_that_cannot_be_opened_costs_its_endpoint_alone(stack: RunningStack) -> None:
    async def scene(desk: Desk) -> None:
        async with Receiver().open() as receiver:
            sealed, well = await desk.endpoint(receiver.url), await desk.endpoint(receiver.url)
            await desk.run("update endpoint set key = %s where endpoint_id = %s", b"x" * 60, sealed)
            for endpoint_id in (sealed, well):
                await desk.deliveries(endpoint_id, "a")
            await desk.worker().send_due()
            assert await desk.statuses(well) == ["delivered"]
            assert await desk.statuses(sealed) == ["pending"]
            [[error]] = await desk.run("select error from attempt where error is not null")
            assert "rotate the secrets" in error
            # that is our own fault, and what is said there helps
            assert await desk.run("select failing_since from endpoint") == [(None,), (None,)]
            async with desk.work() as work:
                new = signing.new_secret()
                await handlers.rotate(sealed, "hmac-sha256", new, SEAL, work)
            await desk.run("update delivery set due_at = now()")
            await desk.worker().send_due()
            assert await desk.statuses(sealed) == ["delivered"]

    play(stack, scene)
