"""What the runtime promises, as cases that hold for every store: run in memory by the unit tests, and on Postgres.

Each case is given a rig of its own, see `tests.rig`.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.outbox import ConcurrencyError
from consumers.runtime import processor, retries
from consumers.runtime.consumer import RetryPolicy
from consumers.runtime.failures import PoisonError, TransientError
from consumers.runtime.processor import TooSlowError
from consumers.runtime.store import FenceLostError, Place
from consumers.testing.records import NewRecord
from consumers.testing.schemas import codec_of_all
from schemas.codec import HEADER, MAGIC
from schemas.messages.canary import CanaryEmitted
from tests.rig import ATTEMPTS, PAUSE_S, PLACE, Rig

Case = Callable[[Rig], Awaitable[None]]

CASES: list[Case] = []


def case(function: Case) -> Case:
    """Add a case to the contract."""
    CASES.append(function)
    return function


def _with(record: NewRecord, **headers: str | bytes | None) -> NewRecord:
    return replace(record, headers=record.headers_with(**headers))


def _id_of(record: NewRecord) -> str:
    return (dict(record.headers)["ce_id"] or b"").decode()


def _context() -> MessageContext:
    return MessageContext(correlation_id=new_id())


# An effect once


@case
async def a_batch_takes_effect_and_moves_the_position(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1"), rig.confirmed("b1"), rig.placed("c1")])
    assert sorted(await rig.effects()) == ["a1", "b1", "c1"]
    assert await rig.progress() == (3, 3, 0)
    assert await rig.parked() == []


@case
async def a_message_twice_in_a_batch_takes_effect_once(rig: Rig) -> None:
    a1, b1 = rig.placed("a1"), rig.confirmed("b1")
    await rig.deliver([a1, b1, a1, b1])
    assert await rig.effects() == ["a1", "b1"]
    assert rig.calls == [["a1"], ["b1"]]
    assert await rig.progress() == (4, 2, 2)


@case
async def a_message_sent_again_later_takes_effect_once(rig: Rig) -> None:
    a1, b1, c1 = rig.placed("a1"), rig.confirmed("b1"), rig.placed("c1")
    await rig.deliver([a1, b1], [b1, c1, a1], [a1])
    assert await rig.effects() == ["a1", "b1", "c1"]
    assert await rig.progress() == (6, 3, 3)


@case
async def a_partition_delivered_from_its_beginning_takes_no_effect(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1"), rig.confirmed("b1")], [rig.placed("a2")])
    await rig.rewind()
    await rig.deliver([])
    await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["a1", "b1", "a2"]
    assert await rig.progress() == (3, 3, 3)


@case
async def ids_are_the_same_however_they_are_written(rig: Rig) -> None:
    a1 = rig.placed("a1")
    shouted = _with(a1, ce_id=_id_of(a1).upper())
    await rig.deliver([a1, shouted], [shouted])
    assert await rig.effects() == ["a1"]


@case
async def consumers_do_not_take_each_others_messages(rig: Rig) -> None:
    other = await rig.beside(name="other-worker")
    await rig.deliver([rig.placed("a1"), rig.confirmed("b1")])
    rig.fails["c1"] = ZeroDivisionError
    await rig.deliver([rig.placed("c1")])
    await other.worker.catch_up(other.log)
    assert await rig.effects() == ["a1", "b1", "a1", "b1"]
    assert await other.progress() == (3, 3, 0)
    rig.fails.clear()
    assert await other.after(PAUSE_S) == 1
    assert (await rig.look()).parked != []


@case
async def what_was_sent_is_kept_with_the_effect(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1"), rig.placed("b1")])
    assert await rig.sent() == ["a1", "b1"]
    [first, _] = (await rig.look()).sent
    assert (first.topic, first.key, first.version) == ("payment.events", "a", None)


# Positions and the fence


@case
async def a_consumer_begins_in_a_partition_once(rig: Rig) -> None:
    assert await rig.store.position(PLACE) is None
    assert await rig.store.begin(PLACE, 7) == 7
    assert await rig.store.begin(PLACE, 3) == 7
    assert await rig.store.position(PLACE) == 7
    assert await rig.store.position(Place("order.events", 1)) is None


@case
async def a_position_is_moved_only_by_who_knows_it(rig: Rig) -> None:
    await rig.store.begin(PLACE, 7)
    with pytest.raises(FenceLostError, match=r"contract-worker.*6.*order\.events/0"):
        await rig.store.move(PLACE, 6, 0)
    await rig.store.move(PLACE, 7, 2)
    assert await rig.store.position(PLACE) == 2


@case
async def a_worker_without_a_position_takes_nothing(rig: Rig) -> None:
    rig.publish([rig.placed("a1")])
    batch = await rig.worker.intake.prepare(rig.log.fetch(PLACE, 0, 1))
    with pytest.raises(FenceLostError):
        await rig.worker.processor.apply(PLACE, 0, batch, 1)
    assert await rig.effects() == []


@case
async def a_lost_fence_leaves_nothing_and_calls_nobody(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    a2, b1 = rig.placed("a2"), rig.confirmed("b1")
    with pytest.raises(FenceLostError):
        await rig.apply(a2, b1, base=0)
    assert rig.calls == [["a1"]]
    assert await rig.progress() == (1, 1, 0)
    # nor were the ids taken: who holds the partition makes them take effect
    await rig.worker.catch_up(rig.log)
    assert await rig.effects() == ["a1", "a2", "b1"]
    assert await rig.progress() == (3, 3, 0)


@case
async def a_lost_fence_parks_nothing(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    rig.fails["b1"] = ZeroDivisionError
    b1 = rig.placed("b1")
    with pytest.raises(FenceLostError):
        await rig.apply(b1, replace(rig.placed("c1"), value=b"no Avro"), base=0)
    assert await rig.parked() == []
    assert await rig.dead() == []


@case
async def two_workers_on_one_partition_make_each_effect_once(rig: Rig) -> None:
    other = await rig.beside()
    rig.worker.positions[PLACE] = other.worker.positions[PLACE] = await rig.store.begin(PLACE, 0)
    for number in range(1, 5):
        await rig.deliver([rig.placed(f"a{number}"), rig.confirmed(f"b{number}")])
        await other.worker.step(rig.log, PLACE, 3)
    await other.worker.catch_up(rig.log)
    assert sorted(await rig.effects()) == sorted(f"{key}{n}" for key in "ab" for n in range(1, 5))
    assert other.worker.fences_lost > 0


@case
async def offsets_without_a_record_are_passed_over(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    await rig.worker.processor.apply(PLACE, 1, [], 5)
    assert await rig.progress() == (5, 1, 0)
    with pytest.raises(FenceLostError):
        await rig.worker.processor.apply(PLACE, 1, [], 9)


# Types


@case
async def ignored_types_move_the_position(rig: Rig) -> None:
    await rig.deliver([rig.cancelled("a1"), rig.placed("a2"), rig.cancelled("a3")])
    assert await rig.effects() == ["a2"]
    assert await rig.progress() == (3, 1, 0)


@case
async def an_ignored_message_needs_no_id(rig: Rig) -> None:
    message = rig.cancelled("a1")
    await rig.deliver([_with(message, ce_id=None), _with(message, ce_id="seven")])
    assert await rig.progress() == (2, 0, 0)
    assert await rig.parked() == []


@case
async def an_unknown_type_is_parked_until_somebody_handles_it(rig: Rig) -> None:
    cautious = await rig.beside(name="cautious-worker", handlers=[], topics=["order.events"])
    await cautious.deliver([rig.placed("a1"), rig.cancelled("b1")])
    assert await cautious.parked() == [("a1", "unknown_type")]
    [parked] = (await cautious.look()).parked
    assert "cautious-worker neither handles nor ignores orders.OrderCreated" in parked.error
    learned = await rig.beside(name="cautious-worker")
    assert await learned.after(PAUSE_S) == 1
    assert await learned.effects() == ["a1"]
    assert await learned.parked() == []


@case
async def an_unknown_type_is_passed_over_where_that_was_chosen(rig: Rig) -> None:
    generous = await rig.beside(name="generous-worker", unknown="ignore")
    unheard = rig.placed("a1")
    await generous.deliver([_with(unheard, ce_type="nobody.Knows"), rig.placed("b1")])
    assert await generous.effects() == ["b1"]
    assert await generous.progress() == (2, 1, 0)
    assert generous.worker.intake.passed_over == {"nobody.Knows"}


# One bad record does not cost the batch


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
                context=_context(),
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


# What passes, and what does not


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


# Records that nobody can make sense of


def _strange(record: NewRecord) -> dict[str, tuple[NewRecord, str]]:
    value = record.value or b""
    canary = CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))
    return {
        "no Avro": (replace(record, value=b"neither magic nor id"), "undecodable"),
        "too few bytes": (replace(record, value=b"\0\0"), "undecodable"),
        "cut short": (replace(record, value=value[:-1]), "undecodable"),
        "too long": (replace(record, value=value + b"\0"), "undecodable"),
        "tombstone": (replace(record, value=None), "undecodable"),
        "unknown schema": (
            replace(record, value=HEADER.pack(MAGIC, 2_000_000) + value[5:]),
            "undecodable",
        ),
        "another type": (replace(record, value=codec_of_all().encode(canary)), "undecodable"),
        "unknown type": (_with(record, ce_type="nobody.Knows"), "unknown_type"),
        "type with a zero": (_with(record, ce_type="nobody\x00.Knows"), "unknown_type"),
        "no type": (_with(record, ce_type=None), "malformed"),
        "no id": (_with(record, ce_id=None), "malformed"),
        "no uuid": (_with(record, ce_id="seven"), "malformed"),
        "random uuid": (_with(record, ce_id="8c2f1cd2-1e2a-4f5c-9d8e-3b8f1a2b3c4d"), "malformed"),
        "bytes that are no text": (_with(record, ce_id=b"\xff\xfe"), "malformed"),
    }


@case
async def what_nobody_can_make_sense_of_is_parked(rig: Rig) -> None:
    for make in (rig.placed, rig.confirmed):
        for what, (_, reason) in _strange(make("x1")).items():
            fresh = await rig.beside(name=f"{make.__name__} {what}")
            fresh.log, fresh._by_offset = type(rig.log)(), {}
            strange, _ = _strange(make("x1"))[what]
            await fresh.deliver([make("a1"), strange, make("x2"), make("b1")])
            behind = [("x1", reason), ("x2", "behind")]
            assert await fresh.parked() == behind, f"{make.__name__} {what}"
            assert (await fresh.progress())[0] == 4
    assert set(await rig.effects()) == {"a1", "b1"}


@case
async def what_cannot_be_told_apart_is_a_dead_letter_at_once(rig: Rig) -> None:
    strange = _strange(rig.placed("a1"))
    malformed = [record for record, reason in strange.values() if reason == "malformed"]
    await rig.deliver([replace(record, key=None) for record in malformed])
    assert await rig.dead() == ["a1"] * len(malformed)
    assert {letter.reason.value for letter in await rig.letters()} == {"malformed"}
    assert await rig.after(10 * PAUSE_S) == 0


@case
async def a_message_older_than_the_inbox_remembers_is_a_dead_letter(rig: Rig) -> None:
    await rig.deliver([rig.placed("a1")])
    old, new = rig.placed("b1"), rig.placed("c1")
    rig.window.first = _id_of(new)
    rig.window.end = None
    await rig.deliver([old, new])
    assert await rig.effects() == ["a1", "c1"]
    assert await rig.parked() == [("b1", "too_old")]
    assert await rig.dead() == ["b1"]


@case
async def a_message_from_the_future_is_a_dead_letter(rig: Rig) -> None:
    early, late = rig.placed("a1"), rig.placed("b1")
    rig.window.first, rig.window.end = "", _id_of(late)
    await rig.deliver([early, late])
    assert await rig.effects() == ["a1"]
    assert await rig.parked() == [("b1", "malformed")]


@case
async def what_cannot_be_told_apart_is_not_handled_when_its_turn_comes(rig: Rig) -> None:
    """Behind a parked message it was not judged; that must be made up for before it is tried."""
    rig.fails["a1"] = ZeroDivisionError
    old, after = rig.placed("a2"), rig.placed("a3")
    rig.window.first = _id_of(after)
    a1 = _with(rig.placed("a1"), ce_id=str(new_id()))
    rig._labels[UUID(_id_of(a1))] = "a1"
    nameless = _with(rig.confirmed("a4"), ce_id=None)
    await rig.deliver([a1, old, after, nameless])
    assert await rig.parked() == [
        ("a1", "failed"),
        ("a2", "behind"),
        ("a3", "behind"),
        ("a4", "behind"),
    ]
    rig.fails.clear()
    await rig.after(PAUSE_S)
    assert await rig.effects() == ["a1"]
    assert await rig.parked() == [("a2", "too_old"), ("a3", "behind"), ("a4", "behind")]
    assert await rig.dead() == ["a2"]


@case
async def a_record_is_kept_as_it_was_delivered(rig: Rig) -> None:
    a1 = rig.placed("a1")
    strange = replace(
        a1, key=b"a\x00", headers=[*a1.headers, ("nothing", None), ("bytes", b"\x00\xff")]
    )
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([strange])
    [delivered] = rig.log.fetch(PLACE, 0, 1)
    await rig.world.database.pass_time(PAUSE_S)
    async with rig.store.transaction() as transaction:
        due = await rig.store.take_due(transaction, 10)
    assert due is not None
    [message] = due.messages
    assert replace(message.record, headers=list(message.record.headers)) == delivered


@case
async def in_a_topic_made_anew_another_message_at_an_offset_is_parked_too(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1")])
    await rig.store.move(PLACE, 1, 0)
    rig.log = type(rig.log)()
    await rig.start()
    rig.fails["b1"] = ZeroDivisionError
    await rig.deliver([rig.placed("b1")])
    assert [parked.key for parked in (await rig.look()).parked] == ["a", "b"]


# Trying again


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
    assert (letter.offset, letter.key, letter.message_id) == (0, b"a", _id_of(a1))
    assert (letter.type, letter.reason.value, letter.attempts) == (
        "orders.OrderCreated",
        "failed",
        1,
    )
    assert letter.error_text == "this will never do"
    assert letter.error_class == "consumers.runtime.failures.PoisonError"
    [sent] = (await rig.look()).sent
    assert str(sent.context.causation_id) == _id_of(a1)


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
        await rig.worker.retrier.retry_one()
    assert await rig.look() == before
    assert await rig.effects() == []
    rig.fails.clear()
    assert await rig.after(0) == 1
    assert await rig.effects() == ["a1", "a2"]


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
        patch.setattr(retries, "LONGEST_S", -1.0)
        assert await rig.after(PAUSE_S) == 3
    assert await rig.effects() == ["a1", "a2", "a3"]


@case
async def a_message_ignored_by_now_makes_room_for_those_behind_it(rig: Rig) -> None:
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.confirmed("a2")])
    wiser = await rig.beside(
        handlers=[rig.consumer.table["orders.OrderConfirmed"].function], unknown="ignore"
    )
    assert await wiser.after(PAUSE_S) == 1
    assert await wiser.effects() == ["a2"]
    assert await wiser.parked() == []


# The outbox


@case
async def an_aggregate_takes_each_version_once(rig: Rig) -> None:
    async def append(after: int, transaction: Any) -> None:
        await rig.outbox.append(
            transaction,
            [CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))] * 2,
            aggregate_id="one",
            after_version=after,
            context=_context(),
        )

    async with rig.store.transaction() as transaction:
        await append(0, transaction)
    with pytest.raises(ConcurrencyError, match="one is past version 1"):
        async with rig.store.transaction() as transaction:
            await append(1, transaction)
    async with rig.store.transaction() as transaction:
        await append(2, transaction)
    assert [each.version for each in (await rig.look()).sent] == [1, 2, 3, 4]


@case
async def a_message_that_does_not_fit_its_schema_is_not_sent(rig: Rig) -> None:
    with pytest.raises(ValueError, match=r"canary\.CanaryEmitted does not fit its schema"):
        async with rig.store.transaction() as transaction:
            await rig.outbox.send(
                transaction,
                CanaryEmitted(canary_id=new_id(), emitted_at="now"),  # type: ignore[arg-type]
                key="k",
                context=_context(),
            )
    assert (await rig.look()).sent == []
