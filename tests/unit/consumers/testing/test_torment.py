"""That torment makes faults happen, can be repeated, and finds handlers that it must find."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings

from cdc.due import RetryPolicy
from consumers.runtime import processor, turns
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import Delivery
from consumers.runtime.failures import PoisonError
from consumers.runtime.handlers import Function, handles, handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from consumers.testing import faults
from consumers.testing.faults import FAULTS, Fault
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import NewRecord, deliver
from consumers.testing.scenario import Scenario
from consumers.testing.torment import Torment
from schemas.messages.canary import CanaryEmitted

State = dict[str, list[int]]
Effect = Callable[[State, Delivery, int], None]

SEEDS = range(6)
"""As many as it takes to find every handler that must be found."""
SEEDS_TO_STAND = range(max(1, settings().max_examples // 33))
"""Each has every fault happen, in a sequence of its own."""


def canary(key: str, number: int) -> NewRecord:
    sign = CanaryEmitted(canary_id=UUID(int=number), emitted_at=datetime(2026, 1, 2, tzinfo=UTC))
    return deliver(sign, key=key)


MESSAGES = [canary(key, number) for number, key in enumerate("abcabcaab")]


def append(state: State, delivery: Delivery, number: int) -> None:
    state.setdefault(delivery.key, []).append(number)


def consumer_of(effect: Effect, database: MemoryDatabase[State], **options: Any) -> Consumer:
    @handles(CanaryEmitted)
    async def take(sign: CanaryEmitted, work: Work) -> None:
        effect(database.value(work), work.delivery, sign.canary_id.int)
        await work.send(sign, key=work.delivery.key or str(sign.canary_id))

    return declared(take, options)


def bulk_consumer_of(effect: Effect, database: MemoryDatabase[State], **options: Any) -> Consumer:
    @handles_in_bulk(CanaryEmitted)
    async def take(received: Sequence[Received[CanaryEmitted]], work: BulkWork) -> None:
        for each in received:
            effect(database.value(work), each.delivery, each.message.canary_id.int)
            await work.caused_by(each).send(each.message, key=each.delivery.key)

    return declared(take, options)


def declared(handler: Function, options: dict[str, Any]) -> Consumer:
    usual = {"name": "tried", "handlers": [handler], "sends": [CanaryEmitted]}
    return Consumer(**usual | options)


def torment(
    effect: Effect,
    messages: Sequence[NewRecord] = MESSAGES,
    *,
    make: Callable[..., Consumer] = consumer_of,
    given: Sequence[NewRecord] = (),
    options: dict[str, Any] | None = None,
    **plan: Any,
) -> Torment:
    async def run() -> Torment:
        database: MemoryDatabase[State] = MemoryDatabase({})
        scenario = Scenario(make(effect, database, **options or {}), database)
        await scenario.given(*given)
        return await scenario.torment(*messages, **plan)

    return asyncio.run(run())


@pytest.mark.parametrize("make", [consumer_of, bulk_consumer_of])
@pytest.mark.parametrize("seed", SEEDS_TO_STAND)
def test_a_handler_that_writes_in_its_transaction_stands_everything(
    make: Callable[..., Consumer], seed: int
) -> None:
    done = torment(append, make=make, seed=seed)
    assert done.seed == seed
    assert set(done.happened) == {fault.__name__ for fault in FAULTS} | {
        f"everything_at_once_{number}" for number in (1, 2, 3)
    }
    assert min(done.happened.values()) > 0


@pytest.mark.parametrize(
    "options",
    [
        {"retries": RetryPolicy(attempts=2)},
        {"retries": RetryPolicy(attempts=12)},
        {"parallel_partitions": 1},
        {"max_batch": 1},
    ],
    ids=repr,
)
def test_it_stands_everything_however_the_consumer_is_declared(options: dict[str, Any]) -> None:
    for seed in SEEDS_TO_STAND:
        torment(append, options=options, seed=seed)


def test_a_message_that_always_fails_is_parked_whatever_happens() -> None:
    def fail_at(number: int, error: type[Exception]) -> Effect:
        def effect(state: State, delivery: Delivery, found: int) -> None:
            if found == number:
                raise error
            append(state, delivery, found)

        return effect

    for seed in SEEDS_TO_STAND:
        torment(fail_at(3, ValueError), seed=seed)
        torment(fail_at(0, PoisonError), seed=seed)


def test_history_comes_before_in_every_passage() -> None:
    def effect(state: State, delivery: Delivery, number: int) -> None:
        state["sums"] = [sum(state.get("sums", [])) + number]

    torment(effect, given=[canary("a", 100), canary("b", 200)])


def test_a_single_message_gives_no_occasion_to_come_in_another_order() -> None:
    done = torment(append, [canary("a", 1)])
    assert done.happened["reordered"] == 0
    assert done.happened["died_before_the_commit"] > 0


def test_messages_without_a_key_may_come_in_any_order() -> None:
    def add(state: State, _: Delivery, number: int) -> None:
        state["numbers"] = sorted([*state.get("numbers", []), number])

    torment(
        add,
        [replace(message, key=None) for message in MESSAGES],
    )


def found_out(effect: Effect, fault: Fault, **more: Any) -> str:
    """Return how torment tells of a handler, for the one fault."""

    def try_all_seeds() -> None:
        for seed in SEEDS:
            torment(effect, faults=[fault], rounds=0, seed=seed, **more)

    with pytest.raises(AssertionError) as raised:
        try_all_seeds()
    [note] = raised.value.__notes__
    assert note.startswith(f"under {fault.__name__.replace('_', ' ')}; to repeat it: seed=")
    return str(raised.value)


@pytest.mark.parametrize(
    "fault",
    [
        faults.died_in_a_handler,
        faults.died_before_the_commit,
        faults.database_in_trouble,
        faults.handlers_failing_at_first,
        faults.third_party_out_of_reach,
        faults.everything_at_once,
    ],
    ids=lambda fault: fault.__name__,
)
def test_an_effect_outside_the_transaction_is_found_out(fault: Fault) -> None:
    outside: list[int] = []

    def effect(state: State, delivery: Delivery, number: int) -> None:
        outside.append(number)
        append(state, delivery, number)

    def take_what_came_outside(_: State) -> list[int]:
        seen = sorted(outside)
        outside.clear()
        return seen

    said = found_out(effect, fault, effects=take_what_came_outside)
    assert "the effects are not those of an undisturbed delivery" in said


@pytest.mark.parametrize("fault", [faults.reordered, faults.handlers_failing_at_first])
def test_a_handler_that_depends_on_the_order_of_keys_is_found_out(fault: Fault) -> None:
    def effect(state: State, _: Delivery, number: int) -> None:
        state.setdefault("order", []).append(number)

    assert "'order'" in found_out(effect, fault)


def test_a_handler_that_remembers_between_calls_is_found_out() -> None:
    seen: set[UUID] = set()

    def effect(state: State, delivery: Delivery, number: int) -> None:
        if delivery.message_id not in seen:  # "an inbox of my own", which no rollback reaches
            append(state, delivery, number)
        seen.add(delivery.message_id)

    def forget_at_the_end(state: State) -> State:
        seen.clear()
        return state

    assert "'state'" in found_out(effect, faults.died_before_the_commit, effects=forget_at_the_end)


def test_a_torment_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    # a machine that is busy decides otherwise which partitions share a transaction
    monkeypatch.setattr(turns, "LONGEST_WAIT_S", 60.0)
    monkeypatch.setattr(processor, "LONGEST_TOGETHER_S", 60.0)

    def trace_of(seed: int) -> tuple[list[tuple[int, int]], Torment]:
        trace: list[tuple[int, int]] = []

        def effect(state: State, delivery: Delivery, number: int) -> None:
            trace.append((number, delivery.attempt))
            append(state, delivery, number)

        return trace, torment(effect, seed=seed)

    random.seed(1)
    first = trace_of(7)
    random.seed(2)
    assert trace_of(7) == first
    assert trace_of(8)[0] != first[0]
