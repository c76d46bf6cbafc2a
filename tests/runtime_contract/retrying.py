"""Parked messages are tried again: in their order, at their time, and not for ever."""

from typing import Any

import psycopg
import pytest

from cdc import due
from cdc.due import RetryPolicy
from consumers.runtime.failures import PoisonError
from tests.rig import ATTEMPTS, PAUSE_S, Rig
from tests.runtime_contract.case import case, id_of


@case
async def parked_messages_are_tried_again_in_their_order(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.confirmed("a2"), rig.placed("a3"), rig.placed("b1")])
    del rig.fails["a1"]
    assert await rig.after(PAUSE_S) == 1
    assert await rig.effects() == ["b1", "a1", "a2", "a3"]
    assert await rig.sent() == ["b1", "a1", "a3"]
    assert await rig.parked() == []
    await rig.deliver([rig.placed("a4")])
    assert await rig.effects() == ["b1", "a1", "a2", "a3", "a4"]
    assert await rig.progress() == (5, 5, 0)


@case
async def a_parked_message_is_not_tried_before_its_time(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1")])
    assert await rig.after(0.4 * PAUSE_S) == 0
    assert await rig.after(0.7 * PAUSE_S) == 1
    assert await rig.after(0.4 * PAUSE_S) == 0
    assert await rig.after(0.7 * PAUSE_S) == 1
    assert rig.attempts[-2:] == [("a1", 2), ("a1", 3)]


@case
async def trying_again_stops_at_the_next_message_that_fails(rig: Rig) -> None:
    rig.fails["a1"] = rig.fails["a3"] = ZeroDivisionError
    await rig.deliver([rig.placed(f"a{number}") for number in range(1, 5)])
    del rig.fails["a1"]
    await rig.after(PAUSE_S)
    assert await rig.effects() == ["a1", "a2"]
    assert await rig.parked() == [("a3", "failed"), ("a4", "behind")]
    assert {parked.attempts for parked in (await rig.look()).parked} == {1}
    del rig.fails["a3"]
    await rig.after(PAUSE_S)
    assert await rig.effects() == ["a1", "a2", "a3", "a4"]
    assert ("a3", 2) in rig.attempts


@case
async def a_failed_attempt_leaves_no_effect(rig: Rig) -> None:
    rig.fails["a1"] = rig.fails["b1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.confirmed("b1")])
    assert await rig.after(PAUSE_S) == 2
    assert await rig.effects() == []
    assert await rig.sent() == []
    assert {parked.attempts for parked in (await rig.look()).parked} == {2}


@case
async def after_the_last_attempt_a_message_is_a_dead_letter_told_of_once(rig: Rig) -> None:
    rig.fails["a1"] = lambda: ValueError("never")
    await rig.deliver([rig.placed("a1"), rig.confirmed("a2"), rig.placed("b1")])
    for _ in range(ATTEMPTS - 1):
        assert await rig.dead() == []
        assert await rig.after(PAUSE_S) == 1
    assert await rig.dead() == ["a1"]
    assert await rig.after(100 * PAUSE_S) == 0
    assert await rig.dead() == ["a1"]
    assert [attempt for label, attempt in rig.attempts if label == "a1"] == [1, 1, 2, 3]
    assert await rig.parked() == [("a1", "failed"), ("a2", "behind")]
    assert all(parked.is_dead for parked in (await rig.look()).parked)
    await rig.deliver([rig.placed("a3")])
    assert (await rig.parked())[-1] == ("a3", "behind")


@case
async def a_dead_letter_says_what_is_known(rig: Rig) -> None:
    rig.fails["a1"] = lambda: PoisonError("this will never do")
    a1 = rig.placed("a1")
    await rig.deliver([a1])
    [letter] = await rig.letters()
    assert (letter.consumer, letter.topic, letter.partition) == (
        "contract-worker",
        "order.events",
        0,
    )
    assert (letter.offset, letter.key, letter.message_id) == (0, b"a", id_of(a1))
    assert (letter.type, letter.reason.value, letter.attempts) == (
        "orders.OrderCreated",
        "failed",
        1,
    )
    assert letter.error_text == "this will never do"
    assert letter.error_class == "consumers.runtime.failures.PoisonError"
    [sent] = (await rig.look()).sent
    assert str(sent.context.causation_id) == id_of(a1)


@case
async def poison_is_a_dead_letter_at_once(rig: Rig) -> None:
    rig.fails["a1"] = rig.fails["b1"] = PoisonError
    await rig.deliver([rig.placed("a1"), rig.placed("a2"), rig.confirmed("b1"), rig.placed("c1")])
    assert await rig.effects() == ["c1"]
    assert sorted(await rig.dead()) == ["a1", "b1"]
    assert await rig.after(10 * PAUSE_S) == 0
    assert await rig.parked() == [("a1", "failed"), ("a2", "behind"), ("b1", "failed")]


@case
async def poison_found_out_later_is_a_dead_letter_then(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1")])
    rig.fails["a1"] = PoisonError
    await rig.after(PAUSE_S)
    [letter] = await rig.letters()
    assert letter.attempts == 2
    assert await rig.after(10 * PAUSE_S) == 0


@case
async def with_a_single_attempt_every_failure_is_a_dead_letter(rig: Rig) -> None:
    strict = await rig.beside(name="strict-worker", retries=RetryPolicy(attempts=1))
    rig.fails["a1"] = ZeroDivisionError
    await strict.deliver([rig.placed("a1"), rig.placed("a2")])
    assert await strict.dead() == ["a1"]
    assert await strict.parked() == [("a1", "failed"), ("a2", "behind")]


@case
async def the_database_failing_in_an_attempt_changes_nothing(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.placed("a2")])
    before = await rig.look()
    del rig.fails["a1"]
    rig.fails["a2"] = psycopg.OperationalError
    await rig.world.database.pass_time(PAUSE_S)
    with pytest.raises(psycopg.OperationalError):
        await rig.worker.retry_one()
    assert await rig.look() == before
    assert await rig.effects() == []
    rig.fails.clear()
    assert await rig.after(0) == 1
    assert await rig.effects() == ["a1", "a2"]


@case
async def a_message_that_breaks_its_connection_is_put_off_and_those_before_it_take_effect(
    rig: Rig,
) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.placed("a2"), rig.placed("a3")])
    del rig.fails["a1"]
    rig.fails["a3"] = lambda: ValueError("it breaks the connection")
    postpone = rig.store.postpone

    async def lost(*_: Any, **__: Any) -> None:
        rig.store.postpone = postpone  # type: ignore[method-assign]
        raise psycopg.OperationalError("the connection is lost")

    for attempts in range(1, ATTEMPTS + 1):
        assert await rig.dead() == []
        rig.store.postpone = lost  # type: ignore[method-assign]
        assert await rig.after(PAUSE_S) == 1
        assert await rig.effects() == ["a1", "a2"]
        [parked] = (await rig.look()).parked
        assert (parked.attempts, "breaks the connection" in parked.error) == (attempts, True)
    assert await rig.dead() == ["a3"]
    assert await rig.after(PAUSE_S) == 0


@case
async def what_waited_longest_is_tried_first(rig: Rig) -> None:
    for label in ("a1", "b1", "c1"):
        rig.fails[label] = ZeroDivisionError
        await rig.deliver([rig.placed(label)])
        await rig.world.database.pass_time(PAUSE_S)
    rig.fails.clear()
    assert await rig.after(PAUSE_S) == 3
    assert await rig.effects() == ["a1", "b1", "c1"]


@case
async def an_attempt_does_not_go_on_for_ever(rig: Rig) -> None:
    """Messages that come of the key have to wait while it lasts."""
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed(f"a{number}") for number in range(1, 4)])
    rig.fails.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(due, "LONGEST_S", -1.0)
        assert await rig.after(PAUSE_S) == 3
    assert await rig.effects() == ["a1", "a2", "a3"]


@case
async def a_message_ignored_by_now_makes_room_for_those_behind_it(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.confirmed("a2")])
    wiser = await rig.beside(handlers=[rig.consumer.table["orders.OrderConfirmed"].function])
    assert await wiser.after(PAUSE_S) == 1
    assert await wiser.effects() == ["a2"]
    assert await wiser.parked() == []
