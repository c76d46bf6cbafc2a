"""The database in memory: transactions, savepoints, and an outbox that belongs to them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.errors import InFailedSqlTransaction

from cdc import bounds
from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.outbox import ConcurrencyError, OutsideTransactionError
from consumers.runtime.store import SpoiltTransactionError
from consumers.testing.memory import MemoryDatabase
from schemas.catalogue import catalogue
from schemas.messages.canary import CanaryEmitted
from schemas.messages.payments import PaymentCompleted

State = dict[str, list[int]]


def play(scene: Callable[[MemoryDatabase[State]], Awaitable[None]]) -> MemoryDatabase[State]:
    database: MemoryDatabase[State] = MemoryDatabase({"given": [0]})
    asyncio.run(scene(database))  # type: ignore[arg-type]  # a coroutine function's result
    return database


def context() -> MessageContext:
    return MessageContext(correlation_id=new_id())


def canary() -> CanaryEmitted:
    return CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))


async def append(database: MemoryDatabase[Any], transaction: Any, after: int) -> None:
    await database.outbox().append(
        transaction, [canary()], aggregate_id="one", after_version=after, context=context()
    )


def test_a_transaction_works_on_a_copy_until_it_commits() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async with database.transaction() as state:
            state["given"].append(1)
            assert await database.state() == {"given": [0]}
        assert await database.state() == {"given": [0, 1]}

    play(scene)


def test_a_transaction_that_raises_leaves_nothing() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async def fail() -> None:
            async with database.transaction() as state:
                state["given"].append(1)
                await append(database, state, 0)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await database.state() == {"given": [0]}
        assert (await database.look("c")).sent == []

    play(scene)


def test_a_savepoint_undoes_its_block_and_handlers_go_on_with_the_same_state() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async def fail(state: State) -> None:
            async with database.savepoint(state):
                state["given"].append(2)
                await append(database, state, 0)
                raise ZeroDivisionError

        async with database.transaction() as state:
            state["before"] = [1]
            with pytest.raises(ZeroDivisionError):
                await fail(state)
            assert state == {"given": [0], "before": [1]}
            state["after"] = [3]
        assert await database.state() == {"given": [0], "before": [1], "after": [3]}
        assert (await database.look("c")).sent == []

    play(scene)


def test_savepoints_may_lie_within_each_other() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async def fail(state: State) -> None:
            async with database.savepoint(state):
                state["inner"] = [2]
                raise ZeroDivisionError

        async with database.transaction() as state, database.savepoint(state):
            state["outer"] = [1]
            with pytest.raises(ZeroDivisionError):
                await fail(state)
        assert await database.state() == {"given": [0], "outer": [1]}

    play(scene)


def test_transactions_follow_one_another() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async def add(number: int) -> None:
            async with database.transaction() as state:
                seen = len(state["given"])
                await asyncio.sleep(0)
                state["given"].append(number)
                assert len(state["given"]) == seen + 1

        await asyncio.gather(*map(add, range(1, 6)))
        assert sorted((await database.state())["given"]) == list(range(6))

    play(scene)


def test_what_was_changed_on_the_way_is_reset() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async with database.transaction() as state:
            state["given"].append(1)
        await database.reset()
        assert await database.state() == {"given": [0]}

    play(scene)


@pytest.mark.parametrize("what", ["the committed state", "that of an earlier transaction"])
def test_the_outbox_wants_the_transaction_that_is_open(what: str) -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async with database.transaction() as earlier:
            pass
        with pytest.raises(OutsideTransactionError):
            await append(database, earlier, 0)
        async with database.transaction():
            given = earlier if what.startswith("that") else await database.state()
            with pytest.raises(OutsideTransactionError, match="outside the transaction"):
                await append(database, given, 0)

    play(scene)


def test_nothing_can_be_kept_once_an_aggregate_was_past_its_version() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async def go_on_after_a_failure() -> None:
            async with database.transaction() as state:
                with pytest.raises(ConcurrencyError):
                    await append(database, state, 0)
                with pytest.raises(InFailedSqlTransaction):
                    await append(database, state, 1)

        async with database.transaction() as state:
            await append(database, state, 0)
        with pytest.raises(SpoiltTransactionError, match="one was past version 0"):
            await go_on_after_a_failure()
        async with database.transaction() as state:
            with pytest.raises(ConcurrencyError):
                async with database.savepoint(state):
                    await append(database, state, 0)
            await append(database, state, 1)
        assert [each.version for each in (await database.look("c")).sent] == [1, 2]

    play(scene)


def test_versions_count_from_one() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        async with database.transaction() as state:
            with pytest.raises(ValueError, match="count from 1"):
                await append(database, state, -1)

    play(scene)


def test_what_is_sent_is_what_receivers_read() -> None:
    payment = PaymentCompleted(
        payment_id=new_id(),
        order_id=new_id(),
        currency="EUR",
        amount=Decimal("12.5"),
        completed_at=datetime.now(UTC),
    )

    async def scene(database: MemoryDatabase[State]) -> None:
        outbox, about = database.outbox(), context()
        async with database.transaction() as transaction:
            state: Any = transaction
            sent_id = await outbox.send(state, payment, key="k", context=about)
            too_long = PaymentCompleted(
                payment_id=new_id(),
                order_id=new_id(),
                currency="EUR",
                amount=Decimal("1.23456"),
                completed_at=datetime.now(UTC),
            )
            with pytest.raises(ValueError, match="does not fit"):
                await outbox.send(state, too_long, key="k", context=about)
        [sent] = (await database.look("c")).sent
        assert sent.message_id == sent_id
        assert (sent.message, sent.topic, sent.key) == (payment, "payment.events", "k")
        assert (sent.version, sent.context) == (None, about)

    play(scene)


def test_time_passes_when_it_is_told_to() -> None:
    database: MemoryDatabase[State] = MemoryDatabase({}, clock=lambda: 100.0)
    asyncio.run(database.pass_time(20.0))
    assert database.now() == 120.0


def test_what_is_kept_back_leaves_room_for_what_is_added_once_it_is_due() -> None:
    async def scene(database: MemoryDatabase[State]) -> None:
        outbox, later = database.outbox(), datetime.now(UTC) + timedelta(hours=1)
        bare = outbox.outgoing(canary(), key="", context=context())
        room = catalogue().message_bytes - bare.size - bounds.SENDER_BYTES
        async with database.transaction() as state:
            for key in ("k" * room, "k" * (room + 1)):
                about = {"key": key, "context": context(), "not_before": later}
                try:
                    await outbox.send(state, canary(), **about)  # type: ignore[arg-type]
                except bounds.MessageRefusedError:
                    assert len(key) > room

    assert len(asyncio.run(play(scene).look("any")).delayed) == 1
