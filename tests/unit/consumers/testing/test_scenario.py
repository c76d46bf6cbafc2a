"""What scenarios refuse, and how they say that something is not as expected."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from cdc.due import RetryPolicy
from cdc.ids import new_id
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles
from consumers.runtime.work import Work
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import deliver
from consumers.testing.scenario import Scenario
from schemas.messages.canary import CanaryEmitted
from schemas.messages.payments import PaymentCompleted

State = list[UUID]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def canary(number: int) -> CanaryEmitted:
    return CanaryEmitted(canary_id=UUID(int=number), emitted_at=NOW)


def play(scene: Callable[[Scenario[State]], Awaitable[None]], **options: Any) -> None:
    database: MemoryDatabase[State] = MemoryDatabase([])

    @handles(CanaryEmitted)
    async def note(sign: CanaryEmitted, work: Work) -> None:
        if sign.canary_id.int > 100:
            raise ValueError(f"{sign.canary_id.int} is too large")
        database.value(work).append(sign.canary_id)
        await work.send(sign, key=work.delivery.key)

    policy = RetryPolicy(attempts=2, first_pause_s=10)
    consumer = Consumer(name="noting", handlers=[note], sends=[CanaryEmitted], retries=policy)

    async def run() -> None:
        await scene(Scenario(consumer, database, **options))

    asyncio.run(run())


def refusal(check: Callable[[Scenario[State]], None], *numbers: int) -> str:
    """Return what a check says after some messages have come."""
    said = []

    async def scene(scenario: Scenario[State]) -> None:
        await scenario.when(*map(canary, numbers))
        with pytest.raises(AssertionError) as raised:
            check(scenario)
        said.append(str(raised.value))

    play(scene)
    return said[0]


def test_another_state_is_shown_beside_the_expected_one() -> None:
    said = refusal(lambda scenario: scenario.then_state([UUID(int=2)]), 1)
    assert said.startswith("the state is not as expected")
    assert f"-[{UUID(int=2)!r}]" in said
    assert f"+[{UUID(int=1)!r}]" in said


def test_other_messages_are_shown_beside_the_expected_ones() -> None:
    said = refusal(lambda scenario: scenario.then_sent(canary(2), PaymentCompleted), 1)
    assert said.startswith("what was sent is not as expected")
    assert "payments.PaymentCompleted" in said
    assert repr(UUID(int=1)) in said


def test_too_many_messages_are_not_overlooked() -> None:
    assert "+" in refusal(lambda scenario: scenario.then_sent(CanaryEmitted), 1, 2)
    assert "+" in refusal(lambda scenario: scenario.then_sent(), 1)


def test_what_failed_is_told_with_its_traceback() -> None:
    said = refusal(lambda scenario: scenario.then_state([UUID(int=101)]), 101)
    assert f"parked is canary.CanaryEmitted of key {UUID(int=101)}" in said
    assert "builtins.ValueError: 101 is too large" in said
    assert ", in note" in said


def test_parked_messages_dead_letters_and_duplicates_are_counted() -> None:
    assert "what is parked" in refusal(lambda s: s.then_parked(), 101)
    assert "the dead letters" in refusal(lambda s: s.then_dead_letters(("k", "failed")), 101)
    assert "the number of duplicates" in refusal(lambda s: s.then_duplicates(1), 1)


def test_after_all_attempts_a_message_is_a_dead_letter() -> None:
    async def scene(scenario: Scenario[State]) -> None:
        bad, good = deliver(canary(101), key="k"), deliver(canary(1), key="k")
        await scenario.when(bad, good)
        scenario.then_parked(("k", "failed"), ("k", "behind"))
        await scenario.after(seconds=4)
        scenario.then_dead_letters()
        await scenario.settle()
        scenario.then_dead_letters(("k", "failed"))
        scenario.then_sent()
        assert [each.is_dead for each in scenario.parked] == [True, True]
        assert scenario.applied == 2

    play(scene)


def test_before_anything_has_come_there_is_no_state() -> None:
    async def scene(scenario: Scenario[State]) -> None:
        with pytest.raises(AssertionError, match="nothing has come yet"):
            _ = scenario.state

    play(scene)


def test_a_message_of_another_topic_would_not_be_seen() -> None:
    payment = PaymentCompleted(
        payment_id=new_id(),
        order_id=new_id(),
        currency="EUR",
        amount=Decimal(1),
        completed_at=NOW,
    )

    async def scene(scenario: Scenario[State]) -> None:
        with pytest.raises(ValueError, match=r"noting reads canary\.events, and would not see pay"):
            await scenario.when(payment)

    play(scene)


def test_several_partitions_keep_the_order_of_a_key() -> None:
    async def scene(scenario: Scenario[State]) -> None:
        records = [deliver(canary(number), key=f"key-{number % 5}") for number in range(50)]
        await scenario.when(*records)
        for rest in range(5):
            kept = [each.int for each in scenario.state if each.int % 5 == rest]
            assert kept == sorted(kept)
        assert len(scenario.state) == 50

    play(scene, partitions=4)
