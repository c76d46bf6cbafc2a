"""One bad record does not cost the batch; what passes is tried again, and what does not is parked."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from cdc.ids import new_id
from cdc.outbox import ConcurrencyError
from consumers.runtime import intake, processor
from consumers.runtime.failures import TransientError
from consumers.runtime.processor import TooSlowError
from schemas.messages.canary import CanaryEmitted
from tests.rig import PAUSE_S, Rig
from tests.runtime_contract.case import case, commands_on_order_events, new_context, with_headers


@case
async def ignored_types_move_the_position(rig: Rig) -> None:
    await rig.deliver([rig.cancelled("a1"), rig.placed("a2"), rig.cancelled("a3")])
    assert await rig.effects() == ["a2"]
    assert await rig.progress() == (3, 1, 0)


@case
async def an_ignored_message_needs_no_id(rig: Rig) -> None:
    message = rig.cancelled("a1")
    await rig.deliver([with_headers(message, ce_id=None), with_headers(message, ce_id="seven")])
    assert await rig.progress() == (2, 0, 0)
    assert await rig.parked() == []


@case
async def an_event_that_no_handler_takes_is_ignored_and_counted(rig: Rig) -> None:
    unheard = with_headers(rig.placed("a1"), ce_type="nobody.Knows")
    await rig.deliver([unheard, rig.placed("b1"), rig.cancelled("c1"), unheard])
    assert await rig.effects() == ["b1"]
    assert await rig.progress() == (4, 1, 0)
    assert await rig.parked() == []
    counts = rig.worker.intake.ignored.counts()
    assert counts == {"nobody.Knows": 2, "orders.OrderCancelled": 1}


@case
async def a_command_that_no_handler_takes_is_parked_until_one_does(rig: Rig) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "catalogue", commands_on_order_events)
        ignorant = await rig.beside(name="ordered", handlers=[], topics=["order.events"])
        await ignorant.deliver([rig.placed("a1"), with_headers(rig.placed("b1"), ce_id=None)])
        assert await ignorant.parked() == [("a1", "unknown_type"), ("b1", "malformed")]
        [parked, _] = sorted((await ignorant.look()).parked, key=lambda each: each.offset)
        assert (
            "ordered has no handler for orders.OrderCreated, which was sent to it" in parked.error
        )
        learned = await rig.beside(name="ordered")
        assert await learned.after(PAUSE_S) == 1
    assert await learned.effects() == ["a1"]
    assert await learned.parked() == [("b1", "malformed")]


@case
async def a_message_that_fails_is_parked_and_others_go_on(rig: Rig) -> None:
    rig.fails["a2"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.placed("a2"), rig.placed("b2")])
    assert await rig.effects() == ["a1", "b1", "b2"]
    assert await rig.sent() == ["a1", "b1", "b2"]
    assert await rig.parked() == [("a2", "failed")]
    assert await rig.progress() == (4, 4, 0)


@case
async def later_messages_of_its_key_wait_behind_it(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver(
        [rig.placed("a1"), rig.placed("b1"), rig.confirmed("a2"), rig.placed("a3")],
        [rig.placed("a4"), rig.confirmed("b2"), rig.cancelled("a5")],
    )
    assert await rig.effects() == ["b1", "b2"]
    assert await rig.parked() == [
        ("a1", "failed"),
        ("a2", "behind"),
        ("a3", "behind"),
        ("a4", "behind"),
    ]
    assert [labels for labels in rig.calls if labels[0] in {"a2", "a3", "a4"}] == []


@case
async def what_waits_behind_is_a_duplicate_when_it_comes_again(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    a1, a2 = rig.placed("a1"), rig.placed("a2")
    await rig.deliver([a1, a2], [a1, a2])
    assert await rig.parked() == [("a1", "failed"), ("a2", "behind")]
    assert await rig.progress() == (4, 2, 2)


@case
async def a_bulk_handler_is_halved_until_the_failing_message_is_alone(rig: Rig) -> None:
    rig.fails["e1"] = ZeroDivisionError
    await rig.deliver([rig.confirmed(f"{key}1") for key in "abcdefgh"])
    assert await rig.effects() == [f"{key}1" for key in "abcdfgh"]
    assert await rig.parked() == [("e1", "failed")]
    # all, twice: as if nothing could fail, and with savepoints; then halves
    assert [len(labels) for labels in rig.calls] == [8, 8, 4, 4, 2, 1, 1, 2]


@case
async def several_messages_of_a_bulk_fail_each_alone(rig: Rig) -> None:
    for label in ("b1", "c1", "g1"):
        rig.fails[label] = ZeroDivisionError
    await rig.deliver([rig.confirmed(f"{key}1") for key in "abcdefgh"])
    assert sorted(await rig.effects()) == ["a1", "d1", "e1", "f1", "h1"]
    assert await rig.parked() == [("b1", "failed"), ("c1", "failed"), ("g1", "failed")]


@case
async def in_a_bulk_later_messages_of_a_key_wait_too(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.confirmed(label) for label in ("a1", "b1", "a2", "b2", "a3", "c1")])
    assert sorted(await rig.effects()) == ["b1", "b2", "c1"]
    assert await rig.parked() == [("a1", "failed"), ("a2", "behind"), ("a3", "behind")]


@case
async def messages_of_a_key_are_handled_in_their_order_by_whichever_handler(rig: Rig) -> None:
    labels = ["a1", "b1", "a2", "a3", "b2", "c1", "b3", "a4"]
    singles = {"a2", "b2", "c1"}
    await rig.deliver(
        [rig.placed(label) if label in singles else rig.confirmed(label) for label in labels]
    )
    effects = await rig.effects()
    assert [label for label in effects if label[0] == "a"] == ["a1", "a2", "a3", "a4"]
    assert [label for label in effects if label[0] == "b"] == ["b1", "b2", "b3"]
    assert sorted(effects) == sorted(labels)


@case
async def messages_without_a_key_wait_for_nobody(rig: Rig) -> None:
    rig.fails["a1"] = rig.fails["a3"] = ZeroDivisionError
    records = [rig.placed(f"a{number}") for number in range(1, 5)]
    await rig.deliver([replace(record, key=None) for record in records])
    assert await rig.effects() == ["a2", "a4"]
    assert await rig.parked() == [("a1", "failed"), ("a3", "failed")]
    assert {parked.key for parked in (await rig.look()).parked} == {None}
    del rig.fails["a3"]
    assert await rig.after(PAUSE_S) == 2
    assert await rig.effects() == ["a2", "a4", "a3"]


@case
async def a_handler_that_goes_on_after_a_failure_is_found_out(rig: Rig) -> None:
    """It swallows the error of a statement, in a transaction that can only be rolled back by then."""
    write = rig.world.write

    async def careless(transaction: Any, message_id: UUID) -> None:
        await write(transaction, message_id)
        with suppress(ConcurrencyError):
            await rig.outbox.append(
                transaction,
                [CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))],
                aggregate_id="taken",
                after_version=0,
                context=new_context(),
            )

    rig.world = replace(rig.world, write=careless)
    await rig.deliver([rig.confirmed("a1")], [rig.confirmed("b1")], [rig.placed("c1")])
    assert await rig.effects() == ["a1"]
    assert await rig.parked() == [("b1", "failed"), ("c1", "failed")]
    assert "went on" in (await rig.look()).parked[0].error


@case
async def any_error_can_be_parked(rig: Rig) -> None:
    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("not this either")

    rig.fails["a1"] = lambda: ValueError("a\x00b \ud800")
    rig.fails["b1"] = UnspeakableError
    rig.fails["c1"] = lambda: ValueError("x" * 100_000)
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.placed("c1"), rig.placed("d1")])
    assert await rig.effects() == ["d1"]
    assert [reason for _, reason in await rig.parked()] == ["failed"] * 3
    first = min((await rig.look()).parked, key=lambda parked: parked.offset)
    assert first.error == "builtins.ValueError: a\\x00b \\ud800"
    assert "_fail_if_told" in first.traceback


@case
async def a_slow_batch_is_cut(rig: Rig) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processor, "LONGEST_TRANSACTION_S", -1.0)
        with pytest.raises(TooSlowError) as raised:
            await rig.apply(rig.placed("a1"), rig.placed("b1"))
        assert raised.value.handled == 1
        assert await rig.progress() == (0, 0, 0)
        await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["a1", "b1"]


@case
async def a_slow_batch_is_cut_between_handlers_too(rig: Rig) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processor, "LONGEST_TRANSACTION_S", -1.0)
        with pytest.raises(TooSlowError) as raised:
            await rig.apply(rig.confirmed("a1"), rig.confirmed("b1"), rig.placed("c1"))
        assert raised.value.handled == 2
        await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["a1", "b1", "c1"]


@case
async def a_slow_batch_that_fails_is_cut_rather_than_halved(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processor, "LONGEST_TRANSACTION_S", -1.0)
        with pytest.raises(TooSlowError):
            await rig.apply(rig.confirmed("a1"), rig.confirmed("b1"), rig.confirmed("c1"))
        assert rig.calls == 2 * [["a1", "b1", "c1"]], (
            "once as if nothing could go wrong, and once more"
        )
        await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["b1", "c1"]
    assert await rig.parked() == [("a1", "failed")]


@case
async def a_transient_failure_ends_the_attempt_and_parks_nothing(rig: Rig) -> None:
    kinds = (TransientError, ConnectionError, ConcurrencyError, psycopg.OperationalError)
    for kind in kinds:
        rig.fails["b1"] = kind
        with pytest.raises(kind):
            await rig.apply(rig.placed("a1"), rig.placed("b1"))
    assert await rig.effects() == []
    assert await rig.sent() == []
    assert await rig.parked() == []
    assert await rig.progress() == (0, 0, 0)
    rig.fails.clear()
    await rig.worker.catch_up(rig.log)
    assert len(await rig.effects()) == 8


@case
async def without_patience_a_transient_failure_is_parked(rig: Rig) -> None:
    rig.fails["b1"] = TransientError
    batch = [rig.placed("a1"), rig.placed("b1"), rig.confirmed("c1"), rig.placed("b2")]
    applied = await rig.apply(*batch, patient=False)
    assert (applied.new, applied.duplicates, applied.parked) == (4, 0, 2)
    assert sorted(await rig.effects()) == ["a1", "c1"]
    assert await rig.parked() == [("b1", "failed"), ("b2", "behind")]


@case
async def the_database_is_waited_for_without_patience_too(rig: Rig) -> None:
    rig.fails["b1"] = psycopg.OperationalError
    with pytest.raises(psycopg.OperationalError):
        await rig.apply(rig.placed("a1"), rig.placed("b1"), patient=False)
    assert await rig.progress() == (0, 0, 0)
    assert await rig.parked() == []


@case
async def a_crash_before_the_commit_leaves_nothing(rig: Rig) -> None:
    class ProcessDiedError(BaseException):
        pass

    rig.fails["b1"] = ProcessDiedError
    with pytest.raises(ProcessDiedError):
        await rig.apply(rig.placed("a1"), rig.placed("b1"))
    assert await rig.effects() == []
    assert await rig.sent() == []
    rig.fails.clear()
    await rig.start()
    await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["a1", "b1"]
    assert await rig.progress() == (2, 2, 0)
