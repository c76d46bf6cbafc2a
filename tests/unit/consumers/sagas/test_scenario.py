"""A saga in its consumer: batches, deadlines that come back, operators, and messages under every fault."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from consumers.sagas.definition import NOTHING_TO_UNDO, Ask, Step
from consumers.testing.records import deliver
from consumers.testing.saga_torment import torment_saga
from consumers.testing.sagas import SagaScenario
from tests import sagas
from tests.sagas import State, Trial, trial

PLACED = sagas.Placed(item_id="item-1")
AUTHORISED = sagas.Authorised(item_id="item-1")
DECLINED = sagas.Declined(item_id="item-1")
RESERVED = sagas.Reserved(item_id="item-1")
CHECKED = sagas.Checked(item_id="item-1")
CAPTURED = sagas.Captured(item_id="item-1")
CONFIRMED = sagas.Confirmed(item_id="item-1")
VOIDED = sagas.Voided(item_id="item-1")
REJECTED = sagas.Rejected(item_id="item-1")


def reply(kind: type[Trial]) -> Trial:
    return kind(item_id="item-1")


def play(part: Callable[[SagaScenario[State]], Awaitable[None]]) -> None:
    async def run() -> None:
        await part(SagaScenario(trial()))

    asyncio.run(run())


def test_from_the_first_message_to_the_last() -> None:
    async def part(saga: SagaScenario[State]) -> None:
        await saga.when(PLACED)
        saga.then("running", sagas.Authorise(item_id="item-1"))
        await saga.answer(AUTHORISED)
        saga.then("running", sagas.Reserve, sagas.Check)
        await saga.answer(RESERVED, CHECKED)
        saga.then("running", sagas.Capture)
        await saga.answer(CAPTURED)
        await saga.answer(CONFIRMED)
        saga.then("completed", sagas.Confirm)
        assert saga.state.seen == ("Authorised", "Reserved", "Checked", "Captured")
        [first, *_] = saga.commands
        assert (first.topic, first.key, first.reply_to) == (
            "trial.commands", "item-1", "trial.replies",
        )  # fmt: skip
        assert {each.context.correlation_id for each in saga.commands} == {
            saga.instance.correlation_id
        }

    play(part)


def test_a_deadline_comes_back_as_a_message_and_undoes() -> None:
    async def part(saga: SagaScenario[State]) -> None:
        await saga.when(PLACED)
        await saga.after(seconds=29)
        saga.then("running", sagas.Authorise)
        await saga.after(seconds=2)
        saga.then("compensating", sagas.Void)
        await saga.answer(VOIDED)
        await saga.answer(REJECTED)
        saga.then("compensated", sagas.Reject)
        await saga.answer(AUTHORISED, VOIDED, times=2)
        saga.then("compensated")
        assert [each.what for each in saga.log][-4:] == ["late"] * 4

    play(part)


def test_reply_and_deadline_in_one_batch_the_first_wins() -> None:
    async def part(saga: SagaScenario[State]) -> None:
        await saga.when(PLACED)
        await saga.after(AUTHORISED, seconds=31)
        saga.then("compensating", sagas.Authorise, sagas.Void)

    play(part)


def test_a_batch_may_hold_a_start_and_its_cancellation() -> None:
    async def part(saga: SagaScenario[State]) -> None:
        await saga.when(PLACED, sagas.Withdrawn(item_id="item-1"))
        saga.then("compensating", sagas.Authorise, sagas.Void)

    play(part)


def test_an_operator_resumes_what_is_paused_and_what_came_of_it_is_kept() -> None:
    async def part(saga: SagaScenario[State]) -> None:
        await saga.when(PLACED)
        await saga.answer(AUTHORISED)
        await saga.answer(RESERVED, CHECKED)
        for _ in range(3):
            await saga.after(seconds=31)
            await saga.after(seconds=11)
        saga.then("paused", sagas.Authorise, sagas.Reserve, sagas.Check, *[sagas.Capture] * 3)
        await saga.act("resume")
        saga.then("running", sagas.Capture)
        await saga.act("cancel")
        await saga.answer(CAPTURED)
        await saga.answer(CONFIRMED)
        saga.then("completed", sagas.Confirm)
        assert saga.scenario.state.outcomes == {
            1: "done",
            2: "capture has begun, from which on nothing is undone",
        }
        [acted] = [each for each in saga.log if each.what == "acted"]
        assert acted.detail == "a test: to see"

    play(part)


def test_a_saga_that_ended_is_run_once_more_from_a_step_on() -> None:
    async def part(saga: SagaScenario[State]) -> None:
        await saga.when(PLACED)
        await saga.answer(DECLINED)
        await saga.answer(REJECTED)
        saga.then("compensated", sagas.Authorise, sagas.Reject)
        await saga.act("fork", "authorise")
        assert saga.log[-1].what == "refused to act"
        await saga.act("fork", "item")
        saga.then("running", sagas.Authorise)
        assert saga.state == State("item-1"), "as it was before anything was done"
        [forked] = [each for each in saga.log if each.what == "forked"]
        assert (forked.step, forked.detail) == ("item", "a test: to see")
        [first] = saga.scenario.state.runs
        assert (first.status, first.reason) == ("compensated", "authorise: Declined")
        await saga.answer(AUTHORISED)
        await saga.when(sagas.Withdrawn(item_id="item-1"))
        assert saga.instance.status == "compensating", "it has its id, and hears what it heard"

    play(part)


def test_what_is_not_as_expected_is_told() -> None:
    async def part(saga: SagaScenario[State]) -> None:
        with pytest.raises(AssertionError, match="nothing has started trial"):
            saga.then("running")
        await saga.when(PLACED)
        with pytest.raises(AssertionError, match=r"is running .* and not completed"):
            saga.then("completed")
        with pytest.raises(AssertionError, match="no command was sent that Captured"):
            await saga.answer(CAPTURED)

    play(part)


def test_messages_under_every_fault_have_the_effects_of_one_clean_delivery() -> None:
    async def run() -> None:
        saga = SagaScenario(trial())
        items = [f"item-{number}" for number in range(4)]
        await saga.scenario.torment(
            *(deliver(sagas.Placed(item_id=item)) for item in items),
            *(deliver(sagas.Withdrawn(item_id=item)) for item in items[:2]),
            effects=lambda tables: {
                key: (each.status, [(name, run.status) for name, run in each.steps.items()])
                for key, each in tables.instances.items()
            },
        )

    asyncio.run(run())


def test_a_saga_under_everything_that_may_happen_to_it() -> None:
    messages = PLACED, sagas.Withdrawn(item_id="item-1")

    async def run() -> None:
        happened = await torment_saga(trial(), *messages, make=reply, rounds=30, seed=1)
        assert happened.keys() >= {
            "completed", "compensated", "expired", "late", "late deadline", "no answer in time",
            "refused", "cancelled", "cancelled too late", "given up", "acted",
        }  # fmt: skip

    asyncio.run(run())


def test_a_definition_that_cannot_take_a_reply_is_found_out() -> None:
    def forgetful(state: State, reply: Trial) -> State:
        raise ZeroDivisionError(reply.text)

    ask = Ask(sagas.authorise, ok={sagas.Authorised: forgetful}, within_s=30)
    broken = trial(steps=[Step("authorise", do=ask, undo=NOTHING_TO_UNDO)])

    async def run() -> None:
        with pytest.raises(AssertionError, match="ZeroDivisionError") as failed:
            await torment_saga(broken, PLACED, make=reply, seed=1)
        assert any("seed=1" in note for note in failed.value.__notes__)

    asyncio.run(run())
