"""What may happen to messages between their sender and their effect, made to happen.

Each fault delivers the records of a passage in its own disturbed way. What it leaves undone is done afterwards by a
worker that nothing disturbs. Every message comes, and those of a key in their order, so the effects must be as ever.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import psycopg
from psycopg.errors import SerializationFailure

from cdc.ids import new_id
from consumers.runtime.delivery import Delivery
from consumers.runtime.failures import TransientError
from consumers.runtime.store import Place
from consumers.testing.fault_plan import FaultPlan, Point, ProcessDied
from consumers.testing.fault_run import FaultRun
from consumers.testing.records import NewRecord
from consumers.testing.schemas import codec_of_all
from schemas.catalogue import catalogue
from schemas.codec import HEADER, MAGIC
from schemas.messages.canary import CanaryEmitted
from schemas.messages.consumers import MessageDeadLettered, ParkingReason

Fault = Callable[[FaultRun], Awaitable[None]]

NO_SCHEMA = 2_000_000_000
"""A schema id that nobody has given away."""


_DATABASE: Mapping[Point, Sequence[Callable[[], BaseException]]] = {
    "take": [partial(psycopg.OperationalError, "the connection is lost")],
    "before_commit": [partial(SerializationFailure, "the transaction conflicts with another one")],
    "after_commit": [partial(psycopg.OperationalError, "the answer to the commit is lost")],
}


class InjectedError(Exception):
    """What a handler fails with that does not fail by itself."""


class FailingAtFirst(FaultPlan):
    """Lets some messages fail in their first attempts, but not in the last one that they have."""

    def __init__(self, rng: random.Random, attempts: int) -> None:
        super().__init__(rng)
        self._attempts = attempts
        self._failing: dict[UUID, int] = {}

    def handled(self, delivery: Delivery) -> None:
        """Fail, if the message is one of those and this is one of the attempts."""
        chosen = not self._failing or self._rng.random() < 0.5
        failing = self._rng.randint(1, self._attempts // 2) if chosen and self._attempts > 1 else 0
        if delivery.attempt <= self._failing.setdefault(delivery.message_id, failing):
            self.happened += 1
            raise InjectedError(f"attempt {delivery.attempt} was made to fail")


async def delivered_twice(passage: FaultRun) -> None:
    """Messages are sent again, under their ids: right away, and after all others."""
    some = [record for record in passage.records if passage.rng.random() < 0.5]
    again = some or list(passage.records[:1])
    for record in passage.records:
        passage.publish([record, record] if record in again else [record])
    await passage.work()
    passage.rng.shuffle(again)
    passage.publish(again)
    passage.happened = 2 * len(again)


async def delivered_from_the_beginning(passage: FaultRun) -> None:
    """The position goes back to the beginning, where all records still lie; then all messages are sent again."""
    passage.publish(passage.records)
    await passage.work()
    store, _ = await passage.database.open(passage.consumer)
    for place in passage.log.places:
        await store.move(place, passage.log.end(place), 0)
        passage.happened += passage.log.end(place)
    await passage.work()
    passage.publish(passage.records)


async def reordered(passage: FaultRun) -> None:
    """Messages of different keys come in another order, from other partitions, in small batches."""
    passage.deal_out_anew()
    records = passage.interleaved()
    for part in (records[:1], records[1:]):
        passage.publish(part)
        await passage.work()
    passage.happened = len({record.key for record in passage.records}) - 1


async def partitions_at_once(passage: FaultRun) -> None:
    """Partitions are worked on at the same time, as many as the consumer allows."""
    passage.deal_out_anew()
    passage.publish(passage.records)
    worker = await passage.worker()
    turn = asyncio.Semaphore(passage.consumer.parallel_partitions)

    async def work_through(place: Place) -> None:
        more = True
        while more:
            async with turn:
                more = await worker.step(passage.log, place, 2)

    await asyncio.gather(*(work_through(place) for place in passage.log.places))
    passage.happened = len(passage.log.places) - 1


async def died_in_a_handler(passage: FaultRun) -> None:
    await _broken(passage, FaultPlan(passage.rng, {"handler": [ProcessDied]}))


async def died_before_the_commit(passage: FaultRun) -> None:
    """The process dies when all handlers of a batch have written their effects, just before the commit."""
    await _broken(passage, FaultPlan(passage.rng, {"before_commit": [ProcessDied]}))


async def died_after_the_commit(passage: FaultRun) -> None:
    """The process dies after the commit, before it could acknowledge the batch."""
    await _broken(passage, FaultPlan(passage.rng, {"after_commit": [ProcessDied]}))


async def partition_lost(passage: FaultRun) -> None:
    """Another worker is given the partition while the first one still holds batches of it; then both go on at once."""
    half = len(passage.records) // 2
    first, second = await passage.worker(), await passage.worker()
    passage.publish(passage.records[: half + 1])
    for place in passage.log.places:
        first.positions[place] = 0
    store, _ = await passage.database.open(passage.consumer)
    for place in passage.log.places:
        await store.begin(place, 0)
    await second.catch_up(passage.log)
    await first.catch_up(passage.log)
    passage.publish(passage.records[half + 1 :])
    await asyncio.gather(*(each.catch_up(passage.log, passage.rng) for each in (first, second)))
    passage.happened = first.fences_lost + second.fences_lost


async def database_in_trouble(passage: FaultRun) -> None:
    """The database refuses to take ids, to commit, or to say that it has committed."""
    await _broken(passage, FaultPlan(passage.rng, _DATABASE))


async def handlers_failing_at_first(passage: FaultRun) -> None:
    """Handlers fail once they have written their effect; their messages are parked, and tried again."""
    await _broken(passage, FailingAtFirst(passage.rng, passage.consumer.retries.attempts))


async def third_party_out_of_reach(passage: FaultRun) -> None:
    """Handlers raise what is transient; their messages are tried again at once."""
    await _broken(passage, FaultPlan(passage.rng, {"handler": [TransientError, ConnectionError]}))


async def poison_among_them(passage: FaultRun) -> None:
    """Records that nobody can make sense of lie between the messages, under keys of their own."""
    passage.publish(_with_poison(passage, list(passage.records)))
    await passage.work()


async def everything_at_once(passage: FaultRun) -> None:
    """All of it: order, duplicates, poison, a process that dies, a database in trouble, handlers that fail."""
    passage.deal_out_anew()
    records = _with_poison(passage, passage.interleaved())
    passage.publish(records)
    passage.publish(record for record in records[::3] if record in passage.records)
    breaks = FaultPlan(
        passage.rng,
        {
            "take": _DATABASE["take"],
            "handler": [ProcessDied, TransientError],
            "before_commit": [ProcessDied, *_DATABASE["before_commit"]],
            "after_commit": [ProcessDied, *_DATABASE["after_commit"]],
        },
    )
    await passage.work(breaks)
    passage.happened += breaks.happened


FAULTS: tuple[Fault, ...] = (
    delivered_twice,
    delivered_from_the_beginning,
    reordered,
    partitions_at_once,
    died_in_a_handler,
    died_before_the_commit,
    died_after_the_commit,
    partition_lost,
    database_in_trouble,
    handlers_failing_at_first,
    third_party_out_of_reach,
    poison_among_them,
)
"""Each by itself; `everything_at_once` comes on top."""


async def _broken(passage: FaultRun, breaks: FaultPlan) -> None:
    passage.publish(passage.records)
    await passage.work(breaks)
    passage.happened = breaks.happened


def _with_poison(passage: FaultRun, records: list[NewRecord]) -> list[NewRecord]:
    handled = [record for record in records if record.type in passage.consumer.table]
    if not handled:
        return records
    mixed = list(records)
    for record, reason in _poison(passage.rng.choice(handled)):
        mixed.insert(passage.rng.randint(0, len(mixed)), record)
        passage.happened += 1
        # an event of an unknown type is ignored: were it parked, it would show as an effect that differs
        if reason != "unknown_type" or record.topic in catalogue().addressed:
            passage.poison[(record.key or b"").decode()] = reason
    return mixed


def _poison(message: NewRecord) -> Iterator[tuple[NewRecord, str]]:
    """Return what can be wrong with a record, and the reason for which it must be parked."""
    value = message.value or b""
    values = {
        "no Avro": b"neither magic byte nor schema id",
        "a datum cut short": value[:-1],
        "a datum too long": value + b"\0",
        "a schema that nobody knows": HEADER.pack(MAGIC, NO_SCHEMA) + value[HEADER.size :],
        "another message's bytes": _bytes_of_another(message),
        "no value": None,
    }
    for what, changed in values.items():
        yield _named(replace(message, value=changed), what), "undecodable"
    headers: dict[str, tuple[dict[str, str | None], str]] = {
        "an unknown type": ({"ce_type": "nobody.HasHeardOfIt"}, "unknown_type"),
        "no type": ({"ce_type": None}, "malformed"),
        "no id": ({"ce_id": None}, "malformed"),
        "an id that is none": ({"ce_id": "seven"}, "malformed"),
    }
    for what, (change, reason) in headers.items():
        named = _named(message, what)
        yield replace(named, headers=named.headers_with(**change)), reason


def _named(message: NewRecord, what: str) -> NewRecord:
    return replace(
        message, key=f"poison: {what}".encode(), headers=message.headers_with(ce_id=str(new_id()))
    )


def _bytes_of_another(message: NewRecord) -> bytes:
    canary = CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))
    letter = MessageDeadLettered(
        consumer="",
        topic="",
        partition=0,
        offset=0,
        reason=ParkingReason.FAILED,
        error_class="",
        error_text="",
        attempts=1,
    )
    return codec_of_all().encode(letter if message.type == canary.NAME else canary)
