"""Middleware around handlers: its order, its place in the transaction, and the meter."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from cdc.due import RetryPolicy
from consumers.runtime.consumer import Consumer
from consumers.runtime.failures import PoisonError
from consumers.runtime.handlers import handles, handles_in_bulk
from consumers.runtime.middleware import (
    CallNext,
    HandlerMeter,
    HandlerStats,
    Middleware,
    TimeLimit,
)
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from consumers.testing.memory import MemoryDatabase
from consumers.testing.scenario import Scenario
from schemas.messages.canary import CanaryEmitted

Steps = list[str]
HOPELESS = 13


def canary(number: int) -> CanaryEmitted:
    return CanaryEmitted(canary_id=UUID(int=number), emitted_at=datetime(2026, 1, 2, tzinfo=UTC))


def play(numbers: Sequence[int], *middleware: Middleware, in_bulk: bool = False) -> Scenario[Steps]:
    """Have canaries handled by a handler that notes their numbers, and fails at one."""
    database: MemoryDatabase[Steps] = MemoryDatabase([])

    def note(sign: CanaryEmitted, work: Work | BulkWork) -> None:
        database.value(work).append(str(sign.canary_id.int))
        if sign.canary_id.int == HOPELESS:
            raise ValueError("thirteen")

    @handles(CanaryEmitted)
    async def one(sign: CanaryEmitted, work: Work) -> None:
        note(sign, work)

    @handles_in_bulk(CanaryEmitted)
    async def many(received: Sequence[Received[CanaryEmitted]], work: BulkWork) -> None:
        for each in received:
            note(each.message, work)

    consumer = Consumer(
        name="surrounded",
        handlers=[many if in_bulk else one],
        middleware=middleware,
        retries=RetryPolicy(attempts=2, first_pause_s=1),
    )

    async def run() -> Scenario[Steps]:
        scenario = Scenario(consumer, database)
        await scenario.when(*map(canary, numbers))
        await scenario.settle()
        return scenario

    return asyncio.run(run())


def noting(name: str) -> Middleware:
    """Return a middleware that notes in the state when it begins and ends."""

    async def around(
        _: Sequence[Received[Any]], work: Work | BulkWork, call_next: CallNext
    ) -> None:
        state: Any = work.connection
        state.append(f"{name} begins")
        await call_next()
        state.append(f"{name} ends")

    return around


def test_the_first_is_the_outermost_and_all_write_in_the_transaction() -> None:
    scenario = play([1], noting("a"), noting("b"))
    assert scenario.state == ["a begins", "b begins", "1", "b ends", "a ends"]


def test_what_it_wrote_is_rolled_back_with_the_handler() -> None:
    scenario = play([HOPELESS, 1], noting("a"))
    assert scenario.state == ["a begins", "1", "a ends"]
    scenario.then_parked((str(UUID(int=HOPELESS)), "failed"))


def test_what_it_raises_decides_about_the_message() -> None:
    async def refuse(
        received: Sequence[Received[Any]], _: Work | BulkWork, call_next: CallNext
    ) -> None:
        if received[0].message.canary_id.int == 2:
            raise PoisonError("not this one")
        await call_next()

    scenario = play([1, 2, 3], refuse)
    assert scenario.state == ["1", "3"]
    scenario.then_dead_letters((str(UUID(int=2)), "failed"))


def test_a_call_that_is_left_out_counts_as_handled() -> None:
    async def leave_out(_: Sequence[Received[Any]], __: Work | BulkWork, ___: CallNext) -> None: ...

    scenario = play([1, 2], leave_out)
    assert (scenario.state, scenario.applied, scenario.parked) == ([], 2, [])


def test_the_meter_counts_a_call_in_bulk_once() -> None:
    meter = HandlerMeter()
    play([1, 2, 3], meter, in_bulk=True)
    [stats] = meter.stats().values()
    assert (stats.calls, stats.messages, stats.failures) == (1, 3, 0)


def test_the_meter_counts_every_attempt() -> None:
    meter = HandlerMeter()
    play([1, HOPELESS], meter)
    [(name, stats)] = meter.stats().items()
    assert name == CanaryEmitted.NAME
    # the batch without savepoints, the batch with them, and the retry of the one that failed
    assert (stats.calls, stats.messages, stats.failures) == (5, 5, 3)
    assert 0 < stats.seconds < 10


def test_a_meter_begins_with_nothing() -> None:
    assert HandlerMeter().stats() == {}
    assert HandlerStats() == HandlerStats(0, 0, 0, 0.0)


def test_a_call_that_takes_too_long_is_cancelled_and_an_error_of_its_own_passes() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async def own_error() -> None:
        raise TimeoutError("the card processor did not answer")

    work: Any = None
    with pytest.raises(TimeoutError, match=r"the handler did not return within 0\.01 s"):
        asyncio.run(TimeLimit(0.01)([], work, forever))
    with pytest.raises(TimeoutError, match="the card processor"):
        asyncio.run(TimeLimit(60)([], work, own_error))


def test_a_call_that_takes_too_long_has_failed_and_is_parked() -> None:
    async def forever(_: Sequence[Received[Any]], __: Work | BulkWork, ___: CallNext) -> None:
        await asyncio.Event().wait()

    meter = HandlerMeter()
    scenario = play([1], TimeLimit(0.01), meter, forever)
    scenario.then_dead_letters((str(UUID(int=1)), "failed"))
    [stats] = meter.stats().values()
    assert stats.failures == stats.calls > 0
