"""Commands that wait until their target is free, as due work."""

from collections.abc import Sequence

from cdc.due import DueWork
from cdc.logs import FieldLogger
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.dispatch import Dispatcher
from consumers.runtime.failures import BLOCKED_BY_EARLIER, Failure, waits_without_end
from consumers.runtime.intake import Intake
from consumers.runtime.locking.store import Stashed
from consumers.runtime.retries import DeadLetters
from consumers.runtime.spans import message_spans, trying_again
from consumers.runtime.store import Parking, Store, Transaction

AT_ONCE = 100
"""Commands that are taken out of the stash in one transaction, at most one for each target and each saga."""

log = FieldLogger(__name__)


class StashWork(DueWork[Stashed]):
    """The stash of one consumer as due work: it looks which targets are free, so that nobody has to wake who waits.

    Args:
        consumer: Dispatch table, locks and retry policy.
        store: Where locks, stash and parked messages are.
        intake: Prepares records, and drops what has expired meanwhile.
        outbox: Where handlers send, and where dead letters are told of.
    """

    def __init__(self, consumer: Consumer, store: Store, intake: Intake, outbox: Outbox) -> None:
        self._consumer = consumer
        self._store = store
        self._intake = intake
        self._dispatcher = Dispatcher(consumer, outbox, store)
        self._dead_letters = DeadLetters(consumer.name, outbox)
        self._spans = message_spans(consumer.name)

    async def take(self, transaction: Transaction) -> Sequence[Stashed]:
        """Return commands whose turn has come; end leases that are over first."""
        now = self._consumer.clock()
        for each in await self._store.locks.take_back(transaction, now):
            log.warning(
                "lease over: target taken from a saga that has not freed it",
                consumer=self._consumer.name,
                lock=each.lock,
                target=each.target,
                saga_id=each.holder.saga_id,
                replies_to=each.holder.replies_to,
                locked_at=each.locked_at,
            )
        return await self._store.locks.take_ready(transaction, now, AT_ONCE)

    async def attempt(self, transaction: Transaction, row: Stashed) -> None:
        """Have a command take effect, and remove it; leave it where it is when somebody was faster.

        Raises:
            RegistryUnavailableError: a schema is new here and the registry cannot be asked.
            Exception: why it cannot be handled, or what its handler raises.
        """
        received = await self._intake.prepare_again(row.record, 1)
        with trying_again(self._spans, received, "stashed", row.stashed_at):
            if received.error is not None:
                raise received.error
            if received.handler is not None and not await self._dispatcher.call(
                received.handler, [received], transaction, turn=row.stash_id
            ):
                return
        await self._store.locks.unstash(transaction, row.stash_id)

    async def failed(self, transaction: Transaction, row: Stashed, error: Exception) -> None:
        """Park a command like any message that fails, and behind it what waits of its saga.

        Raises:
            Exception: the error itself, where every other message is in the same trouble.
        """
        if waits_without_end(error):
            raise error
        failure = Failure.of(error)
        pause_s = None if failure.hopeless else self._consumer.retries.pause_s(1)
        behind = await self._store.locks.behind(transaction, row)
        parkings = [
            _parking(row, failure, pause_s),
            *(_parking(each, BLOCKED_BY_EARLIER, None) for each in behind),
        ]
        for each in (row, *behind):
            await self._store.locks.unstash(transaction, each.stash_id)
        await self._store.park(transaction, parkings)
        if pause_s is None:
            await self._dead_letters.announce(transaction, row.record, failure, attempts=1)


def _parking(row: Stashed, failure: Failure, pause_s: float | None) -> Parking:
    return Parking(
        record=row.record,
        message_id=row.message_id,
        type=row.type,
        failure=failure,
        pause_s=pause_s,
    )
