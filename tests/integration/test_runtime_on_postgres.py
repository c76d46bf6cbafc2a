"""What the runtime does with a real Postgres beyond the contract: locks, lost connections, statements that fail."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import cast
from uuid import UUID

import psycopg
import pytest

from cdc.database import Connection
from consumers.runtime.processor import Chunk
from consumers.runtime.store import Place
from consumers.testing.postgres import PostgresDatabase
from tests.integration.test_runtime_contract import rig_on
from tests.rig import PAUSE_S, PLACE, Rig
from tests.stack import RunningStack

TIMEOUT_S = 30.0

More = Callable[[Connection, str], Awaitable[None]]


def play(stack: RunningStack, scene: Callable[[Rig], Awaitable[None]]) -> None:
    async def run() -> None:
        async with rig_on(stack) as rig, asyncio.timeout(TIMEOUT_S):
            await scene(rig)

    asyncio.run(run())


def write_and_then(rig: Rig, more: More) -> None:
    """Have handlers do more once they have written the effect of a message, whose label they are given."""
    write = rig.world.write

    async def both(transaction: Connection, message_id: UUID) -> None:
        await write(transaction, message_id)
        await more(transaction, rig.label_of(message_id))

    rig.world = replace(rig.world, write=both)


async def until_somebody_waits(rig: Rig) -> None:
    """Wait until a transaction of the service waits for another one to end."""
    database = cast(PostgresDatabase, rig.world.database)
    query = (
        "select count(*) from pg_stat_activity"
        " where usename = 'analytics' and cardinality(pg_blocking_pids(pid)) > 0"
    )
    async with database.connection() as connection:
        await connection.set_autocommit(True)
        waiting = 0
        while not waiting:
            [[waiting]] = await (await connection.execute(query)).fetchall()


@pytest.mark.parametrize("kind", ["placed", "confirmed"])
def test_a_handler_that_swallows_the_error_of_a_statement_is_found_out(
    stack: RunningStack, kind: str
) -> None:
    """Postgres would undo everything without a word when it is told to commit."""

    async def scene(rig: Rig) -> None:
        async def careless(connection: Connection, label: str) -> None:
            if label == "b1":
                with suppress(psycopg.Error):
                    await connection.execute("select 1 / 0")

        write_and_then(rig, careless)
        make = getattr(rig, kind)
        await rig.deliver([rig.confirmed("a1"), make("b1")], [rig.confirmed("c1"), make("d1")])
        assert await rig.effects() == ["a1", "c1", "d1"]
        assert await rig.parked() == [("b1", "failed")]
        assert (await rig.progress())[0] == 4

    play(stack, scene)


def test_a_handler_may_go_on_after_an_error_in_a_transaction_block_of_its_own(
    stack: RunningStack,
) -> None:
    async def scene(rig: Rig) -> None:
        async def careful(connection: Connection, _: str) -> None:
            with suppress(psycopg.Error):
                async with connection.transaction():
                    await connection.execute("select 1 / 0")

        write_and_then(rig, careful)
        await rig.deliver([rig.confirmed("a1"), rig.placed("b1")])
        assert sorted(await rig.effects()) == ["a1", "b1"]

    play(stack, scene)


def test_a_rollback_raised_past_its_block_is_a_failure_and_not_the_end_of_the_message(
    stack: RunningStack,
) -> None:
    """psycopg would take it for that of the savepoint, and end it without an error."""

    async def scene(rig: Rig) -> None:
        rig.fails["a1"] = psycopg.Rollback
        await rig.deliver([rig.placed("a1"), rig.placed("b1")])
        assert await rig.effects() == ["b1"]
        assert await rig.parked() == [("a1", "failed")]

    play(stack, scene)


async def idles(connection: Connection) -> None:
    await connection.execute("set local idle_in_transaction_session_timeout = '50ms'")
    await asyncio.sleep(0.2)
    await connection.execute("select 1")


async def idles_and_returns(connection: Connection) -> None:
    await connection.execute("set local idle_in_transaction_session_timeout = '50ms'")
    await asyncio.sleep(0.2)


async def closes(connection: Connection) -> None:
    await connection.close()
    raise ValueError("it has closed what was lent to it")


@pytest.mark.parametrize("kind", ["placed", "confirmed"])
@pytest.mark.parametrize("breaks", [idles, idles_and_returns, closes])
def test_a_message_whose_handler_breaks_its_connection_is_parked_and_holds_up_nobody(
    stack: RunningStack, kind: str, breaks: Callable[[Connection], Awaitable[None]]
) -> None:
    async def scene(rig: Rig) -> None:
        broken: list[str] = []

        async def break_it(connection: Connection, label: str) -> None:
            if label == "b1":
                broken.append(label)
                await breaks(connection)

        write_and_then(rig, break_it)
        make = getattr(rig, kind)
        await rig.deliver([rig.placed("a1"), make("b1"), rig.placed("b2"), rig.placed("c1")])
        assert await rig.effects() == ["a1", "c1"]
        assert await rig.parked() == [("b1", "failed"), ("b2", "behind")]
        first = len(broken)
        await rig.world.database.pass_time(PAUSE_S)
        await rig.worker.retry_one()
        assert len(broken) == first + 1
        assert await rig.parked() == [("b1", "failed"), ("b2", "behind")], "it is tried later"
        assert not await rig.worker.retry_one()

    play(stack, scene)


def test_a_connection_lost_in_a_handler_leaves_nothing(stack: RunningStack) -> None:
    async def scene(rig: Rig) -> None:
        lost: list[str] = []

        async def lose(connection: Connection, label: str) -> None:
            if label == "b1" and not lost:
                lost.append(label)
                await connection.execute("select pg_terminate_backend(pg_backend_pid())")

        write_and_then(rig, lose)
        with pytest.raises(psycopg.OperationalError):
            await rig.apply(rig.placed("a1"), rig.placed("b1"), patient=False)
        assert await rig.effects() == []
        assert await rig.progress() == (0, 0, 0)
        await rig.worker.catch_up(rig.log)
        assert await rig.effects() == ["a1", "b1"]
        assert await rig.parked() == []

    play(stack, scene)


def test_a_statement_that_always_takes_too_long_is_parked_when_patience_is_at_an_end(
    stack: RunningStack,
) -> None:
    """It is the trouble of one message, and must not hold up the others as a lost connection does."""

    async def scene(rig: Rig) -> None:
        async def dawdle(connection: Connection, label: str) -> None:
            if label == "b1":
                await connection.execute("set local statement_timeout = '20ms'")
                await connection.execute("select pg_sleep(10)")

        write_and_then(rig, dawdle)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await rig.apply(rig.placed("a1"), rig.placed("b1"), rig.placed("c1"))
        await rig.worker.catch_up(rig.log)
        assert await rig.effects() == ["a1", "c1"]
        assert await rig.parked() == [("b1", "failed")]

    play(stack, scene)


def test_an_id_in_two_partitions_at_once_takes_effect_once(stack: RunningStack) -> None:
    """The second transaction waits for what becomes of the first."""

    async def scene(rig: Rig) -> None:
        second_came = asyncio.Event()

        async def wait(_: Connection, __: str) -> None:
            await second_came.wait()

        write_and_then(rig, wait)
        rig.publish([rig.placed("a1"), rig.placed("b1")])
        records = rig.log.fetch(PLACE, 0, 2)
        places = [PLACE, Place(PLACE.topic, 1)]
        works = []
        for place in places:
            await rig.store.begin(place, 0)
            batch = await rig.worker.intake.prepare(records)
            works.append(
                asyncio.create_task(
                    rig.worker.processor.apply(Chunk(place, 0, batch, len(records)))
                )
            )
        await until_somebody_waits(rig)
        second_came.set()
        applied = [await work for work in works]
        assert sorted(each.new for each in applied) == [0, 2]
        assert await rig.effects() == ["a1", "b1"]

    play(stack, scene)


def test_a_message_that_comes_while_its_key_is_tried_again_comes_after_it(
    stack: RunningStack,
) -> None:
    async def scene(rig: Rig) -> None:
        rig.fails["a1"] = ZeroDivisionError
        await rig.deliver([rig.placed("a1"), rig.placed("a2")])
        rig.fails.clear()
        await rig.world.database.pass_time(PAUSE_S)
        tried, third_came = asyncio.Event(), asyncio.Event()

        async def wait(_: Connection, label: str) -> None:
            if label == "a1":
                tried.set()
                await third_came.wait()

        write_and_then(rig, wait)
        trying = asyncio.create_task(rig.worker.retry_one())
        await tried.wait()
        coming = asyncio.create_task(rig.deliver([rig.placed("a3")]))
        await until_somebody_waits(rig)
        third_came.set()
        assert await trying
        await coming
        assert await rig.effects() == ["a1", "a2", "a3"]
        assert await rig.parked() == []

    play(stack, scene)


def test_a_key_is_tried_by_one_worker_at_a_time_and_others_go_on(stack: RunningStack) -> None:
    async def scene(rig: Rig) -> None:
        rig.fails["a1"] = rig.fails["b1"] = ZeroDivisionError
        await rig.deliver([rig.placed("a1")], [rig.placed("b1")])
        rig.fails.clear()
        await rig.world.database.pass_time(PAUSE_S)
        other = await rig.beside()
        tried, other_is_done = asyncio.Event(), asyncio.Event()

        async def wait(_: Connection, __: str) -> None:
            tried.set()
            await other_is_done.wait()

        write_and_then(rig, wait)
        trying = asyncio.create_task(rig.worker.retry_one())
        await tried.wait()
        assert await other.worker.retry() == 1
        other_is_done.set()
        assert await trying
        assert sorted(await rig.effects()) == ["a1", "b1"]
        assert len(other.calls) == 1

    play(stack, scene)


@pytest.mark.parametrize("timestamp", [-1, 0, 2**62])
def test_a_record_of_any_time_can_be_parked(stack: RunningStack, timestamp: int) -> None:
    async def scene(rig: Rig) -> None:
        rig.publish([replace(rig.placed("a1"), value=None)])
        [record] = rig.log.fetch(PLACE, 0, 1)
        batch = await rig.worker.intake.prepare([record._replace(timestamp=timestamp)])
        await rig.store.begin(PLACE, 0)
        await rig.worker.processor.apply(Chunk(PLACE, 0, batch, 1))
        assert await rig.parked() == [("a1", "undecodable")]

    play(stack, scene)
