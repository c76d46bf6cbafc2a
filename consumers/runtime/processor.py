"""Turns messages into effects: a batch in one transaction, whatever becomes of single messages."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cdc.logs import FieldLogger
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.dispatch import Dispatcher
from consumers.runtime.failures import (
    BLOCKED_BY_EARLIER,
    Failure,
    is_database_trouble,
    is_transient,
    waits_without_end,
)
from consumers.runtime.handlers import Function, Handler
from consumers.runtime.received import Received
from consumers.runtime.retries import DeadLetters
from consumers.runtime.spans import message_spans
from consumers.runtime.store import (
    BatchClaim,
    ClaimResult,
    FenceLostError,
    Parking,
    Place,
    Store,
    Transaction,
)

LONGEST_TOGETHER_S = 1.0
"""Batches of several partitions whose handlers take longer are rolled back and applied one by one."""
LONGEST_TRANSACTION_S = 10.0
"""A batch whose handlers take longer is rolled back and cut: locks and snapshots are not held for minutes."""

log = FieldLogger(__name__)

Batch = Sequence[Received[Any]]
_Where = tuple[Place, int]
NONE: Mapping[_Where, Failure] = MappingProxyType({})


def _nobody_watches(_is_tried: bool) -> None:  # noqa: FBT001 - as it is called
    """There is nobody to tell."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What of a partition is to take effect at once, or not at all.

    Args:
        place: The partition.
        base: The position that it begins at.
        batch: Prepared records of the partition in their order; may be empty when offsets are passed over that hold
            nothing for us.
        next_offset: The position after it.
        tell: Is told when a transaction begins in which it is tried, and when that has ended.
    """

    place: Place
    base: int
    batch: Batch
    next_offset: int
    tell: Callable[[bool], None] = _nobody_watches

    @property
    def claim(self) -> BatchClaim:
        """What is claimed of the store for it."""
        ids = [r.message_id for r in self.batch if r.concerns_us and r.message_id]
        return BatchClaim(
            place=self.place, base=self.base, next_offset=self.next_offset, message_ids=ids
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a batch.

    Args:
        next_offset: The position after it.
        new: Messages that came for the first time.
        duplicates: Messages that had been taken before.
        parked: Messages that were put aside.
        seconds: How long it took; where other batches were in the transaction, its share of the messages' time.
    """

    next_offset: int
    new: int
    duplicates: int
    parked: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Mode:
    """How a batch is gone about.

    Args:
        savepoints: With savepoints, so that one message can fail alone.
        patient: What is transient ends the attempt instead of parking its message.
    """

    savepoints: bool
    patient: bool


@dataclass(slots=True)
class _Attempt:
    """One pass over a batch inside a transaction."""

    transaction: Transaction
    manner: _Mode
    blocked: set[tuple[str, bytes]]
    """Keys of which something is parked, with their topics."""
    deadline: float = field(default_factory=lambda: time.monotonic() + LONGEST_TRANSACTION_S)
    failures: dict[_Where, Failure] = field(default_factory=dict)
    """By partition and offset: the messages that will be parked."""
    has_called: bool = False
    handled: int = 0
    """Messages whose handlers have returned."""

    def begin_call(self) -> None:
        """Take note that a handler is called.

        Raises:
            TooSlowError: those called before took too long.
        """
        if self.has_called and time.monotonic() > self.deadline:
            raise TooSlowError(self.handled)
        self.has_called = True

    def fail(self, received: Received[Any], failure: Failure) -> None:
        """Have a message parked, and those of its key that follow."""
        self.failures[_where(received)] = failure
        if received.record.key is not None:
            self.blocked.add((received.record.topic, received.record.key))

    def is_blocked(self, received: Received[Any]) -> bool:
        key = received.record.key
        return key is not None and (received.record.topic, key) in self.blocked

    def parks_or_skips(self, received: Received[Any]) -> bool:
        """Tell whether there is nothing to call for a message, and see to it that it is parked where it must be."""
        if not received.concerns_us or _where(received) in self.failures:
            return True
        if self.is_blocked(received):
            self.fail(received, BLOCKED_BY_EARLIER)
            return True
        if received.error is not None:
            self.fail(received, Failure.of(received.error))
            return True
        return False

    def reraise_if_transient(self, error: Exception) -> None:
        """Leave the transaction where going on in it makes no sense."""
        if waits_without_end(error) or (self.manner.patient and is_transient(error)):
            raise error
        if not self.manner.savepoints:
            raise _HandlerFailed(f"a handler failed: {error!r}") from error


class Processor:
    """Applies batches.

    A batch is first tried as if nothing could go wrong. When a message fails all is rolled back and the batch is tried
    once more with savepoints, so that the one that fails is parked and the others take effect.

    Args:
        consumer: Name, dispatch table and retry policy.
        store: Where inbox, position and parked messages are.
        outbox: Where handlers send, and where dead letters are told of.
    """

    def __init__(self, consumer: Consumer, store: Store, outbox: Outbox) -> None:
        self._consumer = consumer
        self._store = store
        self._dispatcher = Dispatcher(consumer, outbox, store)
        self._dead_letters = DeadLetters(consumer.name, outbox)
        self._spans = message_spans(consumer.name)
        self.is_careful = False
        """Whether the next batch is likely to hold a message that fails, as the last one did."""

    async def apply(self, chunk: Chunk, *, patient: bool = True) -> Applied:
        """Make every message of a chunk take effect that has not done so before, or park it; all or nothing.

        Args:
            chunk: Where it begins and ends, and its messages.
            patient: Raise what is transient. When not, a message whose party outside the database cannot be reached is
                parked.

        Raises:
            FenceLostError: somebody else has moved the position; nothing has taken effect.
            TooSlowError: the batch is too large for its handlers; nothing has taken effect.
            Exception: what is transient of all that a handler raises; nothing has taken effect.
        """
        if not self.is_careful and patient:
            try:
                [applied] = await self._try([chunk], _Mode(savepoints=False, patient=True))
            except (FenceLostError, TooSlowError):
                raise
            except Exception as error:
                if is_transient(error):
                    raise
                log.info("batch taken apart", because=error)
            else:
                return applied
        applied = await self._one_by_one(chunk, _Mode(savepoints=True, patient=patient))
        self.is_careful = applied.parked > 0
        return applied

    async def _one_by_one(self, chunk: Chunk, manner: "_Mode") -> Applied:
        """Apply a chunk, in as many transactions as its handlers break before those that fail can be parked in one."""
        known: Mapping[_Where, Failure] = {}
        while True:
            try:
                [applied] = await self._try([chunk], manner, known)
            except _FailureNotKeptError as lost:
                log.info("transaction begun anew", because=lost)
                known = lost.failures
            else:
                return applied

    async def apply_together(self, chunks: Sequence[Chunk]) -> list[Applied]:
        """Make the messages of chunks of several partitions take effect, in the order of the chunks; all or nothing.

        Raises:
            NotTogetherError: one of them failed or is slow, or its fence is lost: each is to be applied by itself.
        """
        try:
            async with asyncio.timeout(LONGEST_TOGETHER_S):
                return await self._try(chunks, _Mode(savepoints=False, patient=True))
        except Exception as error:
            raise NotTogetherError(error) from error

    async def _try(
        self, chunks: Sequence[Chunk], manner: "_Mode", known: Mapping[_Where, Failure] = NONE
    ) -> list[Applied]:
        """Apply chunks in one transaction, but for messages of which it is known that they fail."""
        for chunk in chunks:
            chunk.tell(True)
        try:
            return await self._in_one_transaction(chunks, manner, known)
        finally:
            for chunk in chunks:
                chunk.tell(False)

    async def _in_one_transaction(
        self, chunks: Sequence[Chunk], manner: "_Mode", known: Mapping[_Where, Failure]
    ) -> list[Applied]:
        began, began_ns = time.monotonic(), time.time_ns()
        claims = [chunk.claim for chunk in chunks]
        async with self._store.transaction() as transaction:
            taken = await self._store.take(transaction, claims)
            todo: list[Received[Any]] = []
            of_parked: list[Received[Any]] = []
            for chunk, result in zip(chunks, taken, strict=True):
                new_ones = _new_ones(chunk.batch, result)
                todo += new_ones
                of_parked += new_ones if result.some_parked else []
            recorded = self._spans.taken(todo, began_ns) if self._spans else ()
            blocked = await self._parked_keys(transaction, of_parked)
            attempt = _Attempt(transaction, manner, blocked)
            for received in todo:
                if failure := known.get(_where(received)):
                    attempt.fail(received, failure)
            try:
                for handler, group in grouped(todo):
                    await self._handle(attempt, handler, group)
                await self._park(attempt, todo)
            except Exception as error:
                if is_database_trouble(error) and len(attempt.failures) > len(known):
                    raise _FailureNotKeptError(attempt.failures) from error
                raise
        if recorded and self._spans:
            failures = {
                (*place, offset): failure.error_class or failure.reason
                for (place, offset), failure in attempt.failures.items()
            }
            self._spans.took_effect(recorded, len(todo), failures)
        parked = Counter(place for place, _ in attempt.failures)
        each_s = (time.monotonic() - began) / max(1, sum(len(chunk.batch) for chunk in chunks))
        return [
            _applied(chunk, claim, result, parked[chunk.place], each_s)
            for chunk, claim, result in zip(chunks, claims, taken, strict=True)
        ]

    async def _parked_keys(self, transaction: Transaction, todo: Batch) -> set[tuple[str, bytes]]:
        """Return which keys of messages have parked ones, with their topics."""
        keys: dict[str, set[bytes]] = defaultdict(set)
        for received in todo:
            if received.record.key is not None:
                keys[received.record.topic].add(received.record.key)
        return {
            (topic, key)
            for topic, given in keys.items()
            for key in await self._store.parked_keys(transaction, topic, given)
        }

    async def _handle(self, attempt: _Attempt, handler: Handler | None, group: Batch) -> None:
        """Call the handlers of a group, except for messages that are to be parked."""
        if handler is not None:
            clean = not attempt.blocked and not attempt.failures
            clean = clean and not any(received.error for received in group)
            todo = group if clean else [r for r in group if not attempt.parks_or_skips(r)]
            await self._call(attempt, todo, handler)
            return
        for received in group:
            if not attempt.parks_or_skips(received) and received.handler is not None:
                await self._call(attempt, [received], received.handler)

    async def _call(self, attempt: _Attempt, todo: Batch, handler: Handler) -> None:
        """Call a handler; halve what a bulk handler is given while it fails."""
        if not todo:
            return
        attempt.begin_call()
        try:
            if attempt.manner.savepoints:
                async with self._store.savepoint(attempt.transaction):
                    await self._dispatcher.call(handler, todo, attempt.transaction)
            else:
                await self._dispatcher.call(handler, todo, attempt.transaction)
        except Exception as error:  # noqa: BLE001 - parked with the message, or raised again
            attempt.reraise_if_transient(error)
            if len(todo) == 1:
                attempt.fail(todo[0], Failure.of(error))
                return
            half = len(todo) // 2
            await self._call(attempt, todo[:half], handler)
            # a key that failed in the first half blocks what comes of it in the second
            await self._handle(attempt, handler, todo[half:])
        else:
            attempt.handled += len(todo)

    async def _park(self, attempt: _Attempt, todo: Batch) -> None:
        if not attempt.failures:
            return
        parkings = [
            self._parking(received, attempt.failures[_where(received)])
            for received in todo
            if _where(received) in attempt.failures
        ]
        await self._store.park(attempt.transaction, parkings)
        for parking in parkings:
            if parking.pause_s is None and parking.failure != BLOCKED_BY_EARLIER:
                await self._dead_letters.announce(
                    attempt.transaction, parking.record, parking.failure, attempts=1
                )

    def _parking(self, received: Received[Any], failure: Failure) -> Parking:
        return Parking(
            record=received.record,
            message_id=received.message_id or None,
            type=received.type,
            failure=failure,
            pause_s=None if failure.hopeless else self._consumer.retries.pause_s(1),
        )


class NotTogetherError(Exception):
    """Chunks cannot be applied in one transaction.

    Args:
        because: What came of trying it.
    """

    def __init__(self, because: Exception) -> None:
        super().__init__(f"applied one by one, as together {because!r}")
        self.is_slow = isinstance(because, TimeoutError | TooSlowError)


class TooSlowError(Exception):
    """The handlers took so long that the batch was rolled back; a part of it should be tried.

    Args:
        handled: Messages that were handled in the time.
    """

    def __init__(self, handled: int) -> None:
        super().__init__(f"only {handled} messages were handled in {LONGEST_TRANSACTION_S:g} s")
        self.handled = handled


class _FailureNotKeptError(Exception):
    """The connection is lost on which failures were to be kept, perhaps to one of the handlers that failed.

    Args:
        failures: Of which messages, and why.
    """

    def __init__(self, failures: Mapping[_Where, Failure]) -> None:
        told = "; ".join(failure.error_text for failure in failures.values())
        super().__init__(f"the connection is lost on which to park what failed: {told}")
        self.failures = failures


class _HandlerFailed(Exception):  # noqa: N818 - a turn in the way, not an error of the program
    """A handler failed in the first pass. Whatever it raised, psycopg's Rollback too, ends the transaction so."""


def grouped(batch: Batch) -> list[tuple[Handler | None, list[Received[Any]]]]:
    """Split a batch into calls, so that the messages of a key are handled in their order.

    Messages for the same bulk handler come together although others lie between them, as long as no message of the
    same key was handled by another handler meanwhile. Messages that are handled one by one keep the order in which
    they lie.

    Args:
        batch: Messages, those of a partition in their order.

    Returns:
        A bulk handler with its messages, or None with messages to be handled one by one, in the order to follow.
    """
    groups: list[tuple[Handler | None, list[Received[Any]]]] = []
    open_group: dict[Function | None, int] = {}
    last_group: dict[bytes, int] = {}
    for received in batch:
        bulk = received.handler if received.handler and received.handler.in_bulk else None
        key = received.record.key
        after = last_group.get(key, -1) if key is not None else -1
        function = bulk.function if bulk else None
        number = open_group.get(function, -1)
        if number < after or number < 0:
            number = len(groups)
            groups.append((bulk, []))
            open_group[function] = number
        groups[number][1].append(received)
        if key is not None:
            last_group[key] = number
    return groups


def _where(received: Received[Any]) -> _Where:
    record = received.record
    return Place(record.topic, record.partition), record.offset


def _applied(
    chunk: Chunk, claim: BatchClaim, taken: ClaimResult, parked: int, each_s: float
) -> Applied:
    delivered = len(claim.message_ids)
    new = delivered if taken.new is None else len(taken.new)
    return Applied(chunk.next_offset, new, delivered - new, parked, each_s * len(chunk.batch))


def _new_ones(batch: Batch, taken: ClaimResult) -> Batch:
    """Leave out what was taken before, and what comes twice in the batch itself."""
    if taken.new is None:
        return batch
    left = set(taken.new)
    todo = []
    for received in batch:
        if not received.message_id:
            # without an id it cannot be told apart from a repetition, and is parked
            todo.append(received)
        elif received.message_id in left:
            left.remove(received.message_id)
            todo.append(received)
    return todo
