"""What one saga works on is locked for it: what another one wants with it waits, and takes effect once, or never."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdc.work import utc_now
from consumers.runtime.failures import PoisonError, TransientError
from consumers.runtime.handlers import handles
from consumers.runtime.locking.lock import Lock
from consumers.runtime.work import Work
from consumers.testing.records import NewRecord
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from tests.rig import PAUSE_S, Rig
from tests.runtime_contract.case import case, with_headers

LEASE = timedelta(minutes=10)


@dataclass
class Moment:
    """The present, which passes when a case says so."""

    now: datetime = field(default_factory=utc_now)

    def __call__(self) -> datetime:
        return self.now


async def locking(rig: Rig, **options: Any) -> Moment:
    """Have what the rig handles lock customers and currencies; `OrderCancelled` is handled, and frees them."""
    present = Moment()

    @handles(OrderCancelled)
    async def cancel(_: OrderCancelled, work: Work) -> None:
        await rig.world.write(work.connection, work.delivery.message_id)

    handlers = [handler.function for handler in rig.consumer.table.values()]
    takes = {
        OrderCreated: lambda order: order.customer_id,
        OrderConfirmed: lambda order: order.currency,
    }
    lock = Lock(name="customer", takes=takes, freed_by=[OrderCancelled], lease=LEASE)
    rig.consumer = rig.consumer.with_options(
        handlers=[*handlers, cancel], locks=[lock], clock=present, **options
    )
    await rig.start()
    return present


def expiring(record: NewRecord, at: datetime) -> NewRecord:
    return with_headers(record, expires_at=at.astimezone(UTC).isoformat())


async def effects(rig: Rig) -> Sequence[str]:
    """Take out of the stash what waits for nothing any more, and return all effects."""
    await rig.worker.work_on_stash()
    return await rig.effects()


@case
async def a_second_saga_waits_until_the_first_is_done(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.placed("c1", "bob")])
    assert await effects(rig) == ["a1", "c1"]
    await rig.deliver([rig.cancelled("a2")])
    assert await rig.effects() == ["a1", "c1", "a2"]
    assert await effects(rig) == ["a1", "c1", "a2", "b1"]
    assert await rig.sent() == ["a1", "c1", "b1"]
    assert await rig.parked() == []
    assert await rig.progress() == (4, 4, 0)


@case
async def who_came_first_is_served_first(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1")], [rig.placed("c1")])
    # the target is free, and somebody waits for it already
    await rig.deliver([rig.cancelled("a2")], [rig.placed("d1")])
    assert await effects(rig) == ["a1", "a2", "b1"]
    await rig.deliver([rig.cancelled("b2")])
    assert (await effects(rig))[-1] == "c1"
    await rig.deliver([rig.cancelled("c2")])
    assert (await effects(rig))[-1] == "d1"


@case
async def of_a_call_in_bulk_those_go_on_that_have_the_lock(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.confirmed("a1"), rig.confirmed("b1"), rig.confirmed("c1", "USD")])
    await rig.deliver([rig.confirmed("d1")])
    assert rig.calls == [["a1", "c1"]]
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "c1", "a2", "b1"]


@case
async def a_saga_does_not_wait_for_itself(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1")], [rig.placed("b1")], [rig.placed("a2"), rig.placed("a3")])
    assert await effects(rig) == ["a1", "a2", "a3"]


@case
async def sagas_of_one_id_are_told_apart_by_where_they_hear_replies(rig: Rig) -> None:
    await locking(rig)
    one, other = (
        with_headers(rig.placed(label), reply_to=topic)
        for label, topic in (("a1", "one.replies"), ("a2", "other.replies"))
    )
    await rig.deliver([one, other])
    assert await effects(rig) == ["a1"]
    await rig.deliver([with_headers(rig.cancelled("a3"), reply_to="third.replies")])
    assert await effects(rig) == ["a1", "a3"]
    await rig.deliver([with_headers(rig.cancelled("a4"), reply_to="one.replies")])
    assert await effects(rig) == ["a1", "a3", "a4", "a2"]
    await rig.deliver([rig.placed("b1")], [rig.cancelled("a5")])
    # what wants no reply frees for every saga of the id
    assert await effects(rig) == ["a1", "a3", "a4", "a2", "a5", "b1"]


@case
async def an_undo_does_not_wait_and_takes_its_do_out_of_the_stash(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.cancelled("b2")])
    assert await effects(rig) == ["a1", "b2"]
    await rig.deliver([rig.cancelled("a2")], [rig.placed("c1")])
    assert await effects(rig) == ["a1", "b2", "a2", "c1"]


@case
async def what_a_saga_wants_next_does_not_overtake_what_waits(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.placed("b2", "bob")])
    await rig.deliver([rig.placed("b3", "carol"), rig.placed("c1", "carol")])
    assert await effects(rig) == ["a1"]
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "a2", "b1", "b2", "b3"]
    await rig.deliver([rig.cancelled("b4")])
    assert (await effects(rig))[-1] == "c1"


@case
async def what_a_saga_wants_in_the_same_call_does_not_overtake_what_waits(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.confirmed("a1")])
    await rig.deliver([rig.confirmed("b1"), rig.confirmed("b2", "USD"), rig.confirmed("c1", "DKK")])
    assert rig.calls == [["a1"], ["c1"]]
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "c1", "a2", "b1", "b2"]


@case
async def what_is_delivered_again_waits_once(rig: Rig) -> None:
    await locking(rig)
    b1 = rig.placed("b1")
    await rig.deliver([rig.placed("a1"), b1, b1], [b1])
    await rig.rewind()
    await rig.worker.catch_up(rig.log)
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "a2", "b1"]
    await rig.deliver([b1])
    assert await effects(rig) == ["a1", "a2", "b1"]


@case
async def what_expires_in_the_stash_is_dropped_and_counted(rig: Rig) -> None:
    present = await locking(rig)
    soon = present.now + timedelta(seconds=30)
    await rig.deliver([rig.placed("a1"), expiring(rig.placed("b1"), soon), rig.placed("c1")])
    present.now = soon
    assert await effects(rig) == ["a1"]
    assert rig.worker.intake.expired.counts() == {OrderCreated.NAME: 1}
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "a2", "c1"]
    assert await rig.parked() == []


@case
async def what_has_expired_and_comes_again_waits_for_its_turn(rig: Rig) -> None:
    present = await locking(rig)
    late = present.now - timedelta(seconds=30)
    again = {"replay_run": "r"}, {"replayed_from": "t/0/1"}
    await rig.deliver(
        [
            rig.placed("a1"),
            *(
                with_headers(expiring(rig.placed(f"{name}1"), late), **headers)
                for name, headers in zip("bc", again, strict=True)
            ),
        ]
    )
    # which ends only if nothing is taken out that cannot go
    assert await effects(rig) == ["a1"]
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "a2", "b1"]
    await rig.deliver([rig.cancelled("b2")])
    assert await effects(rig) == ["a1", "a2", "b1", "b2", "c1"]
    assert not rig.worker.intake.expired.counts()


@case
async def a_saga_that_never_ends_loses_what_it_holds(rig: Rig) -> None:
    present = await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1")])
    present.now += LEASE - timedelta(seconds=1)
    assert await effects(rig) == ["a1"]
    await rig.deliver([rig.placed("a2")])  # the lease counts from its last command
    present.now += timedelta(seconds=2)
    assert await effects(rig) == ["a1", "a2"]
    present.now += LEASE
    assert await effects(rig) == ["a1", "a2", "b1"]
    # what it does too late takes nothing from who has it now
    await rig.deliver([rig.cancelled("a3")], [rig.placed("c1")])
    assert await effects(rig) == ["a1", "a2", "b1", "a3"]


@case
async def what_fails_out_of_the_stash_is_parked_without_a_lock(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.placed("c1")])
    rig.fails["b1"] = ZeroDivisionError
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "a2", "c1"]
    assert await rig.parked() == [("b1", "failed")]
    del rig.fails["b1"]
    await rig.after(PAUSE_S)
    assert await rig.parked() == []
    assert await effects(rig) == ["a1", "a2", "c1"]  # it waits again
    await rig.deliver([rig.cancelled("c2")])
    assert await effects(rig) == ["a1", "a2", "c1", "c2", "b1"]


@case
async def what_waits_behind_one_that_fails_is_parked_behind_it(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.placed("b2"), rig.placed("b3", "x")])
    rig.fails["b1"] = ZeroDivisionError
    await rig.deliver([rig.cancelled("a2")])
    assert await effects(rig) == ["a1", "a2"]
    assert await rig.parked() == [("b1", "failed"), ("b2", "behind"), ("b3", "behind")]
    rig.fails.clear()
    await rig.after(PAUSE_S)
    assert await effects(rig) == ["a1", "a2", "b1", "b2", "b3"]


@case
async def what_is_hopeless_out_of_the_stash_is_a_dead_letter(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([rig.placed("a1"), rig.placed("b1")], [rig.cancelled("a2")])
    rig.fails["b1"] = lambda: PoisonError("this will never do")
    assert await effects(rig) == ["a1", "a2"]
    assert await rig.dead() == ["b1"]


@case
async def one_that_fails_costs_the_others_neither_lock_nor_place(rig: Rig) -> None:
    await locking(rig)
    rig.fails["a1"] = ZeroDivisionError
    await rig.deliver([rig.placed("a1"), rig.placed("b1"), rig.placed("c1"), rig.placed("d1")])
    assert await effects(rig) == ["b1"]
    assert await rig.parked() == [("a1", "failed")]
    rig.fails["b2"] = TransientError
    with pytest.raises(TransientError):
        await rig.apply(rig.placed("e1"), rig.placed("b2"))
    rig.fails.clear()
    await rig.worker.catch_up(rig.log)
    await rig.deliver([rig.cancelled("b3")])
    assert await effects(rig) == ["b1", "b2", "b3", "c1"]


@case
async def a_command_that_names_no_saga_is_a_dead_letter(rig: Rig) -> None:
    await locking(rig)
    await rig.deliver([replace(rig.placed("a1"), key=None), rig.placed("b1")])
    assert await effects(rig) == ["b1"]
    assert await rig.dead() == ["a1"]


@case
async def targets_may_be_called_anything(rig: Rig) -> None:
    await locking(rig)
    for target in (
        "",
        "a\0b",
        "ß😀\u202e",
        "x" * 100_000,
        "x" * 100_001,
        "'; drop table inbox; --",
    ):
        await rig.deliver([rig.placed("a1", target), rig.placed("b1", target)])
        assert (await effects(rig))[-1] == "a1"
        await rig.deliver([rig.cancelled("a2")])
        assert (await effects(rig))[-2:] == ["a2", "b1"]
        await rig.deliver([rig.cancelled("b2")])


@case
async def consumers_do_not_wait_for_each_other(rig: Rig) -> None:
    await locking(rig)
    other = await rig.beside(name="other-worker")
    other.log = type(rig.log)()
    await locking(other)
    await rig.deliver([rig.placed("a1")])
    await other.deliver([other.placed("b1")])
    assert await rig.effects() == ["a1", "b1"]
    await rig.deliver([rig.cancelled("b2")], [rig.placed("c1")])
    assert await effects(rig) == ["a1", "b1", "b2"]
