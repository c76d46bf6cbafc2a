"""What the cases of the runtime's contract work with: a consumer whose handlers write down which message they took."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from cdc.due import RetryPolicy
from cdc.ids import new_id
from cdc.outbox import Outbox
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles, handles_in_bulk
from consumers.runtime.processor import Applied, Chunk
from consumers.runtime.received import Received
from consumers.runtime.store import Place, Store
from consumers.runtime.window import InboxWindow
from consumers.runtime.work import BulkWork, Work
from consumers.testing.database import Database, Observed
from consumers.testing.log import Log
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import NewRecord, deliver
from consumers.testing.worker import Worker
from schemas.messages.consumers import MessageDeadLettered
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from schemas.messages.payments import PaymentCompleted

PLACE = Place("order.events", 0)
PAUSE_S = 100.0
ATTEMPTS = 3
POLICY = RetryPolicy(attempts=ATTEMPTS, first_pause_s=PAUSE_S, factor=1.0)


@dataclass(frozen=True, slots=True)
class World:
    """A database under test, and how a test's handler writes to it.

    Args:
        database: The database.
        write: Writes a message's id on a transaction.
        written: Returns the ids written and committed, in their order.
    """

    database: Database[Any]
    write: Callable[[Any, UUID], Awaitable[None]]
    written: Callable[[], Awaitable[Sequence[UUID]]]


def in_memory(database: MemoryDatabase[list[UUID]]) -> World:
    """Return a database in memory as a world; its state is the list of ids written."""

    async def write(transaction: list[UUID], message_id: UUID) -> None:
        transaction.append(message_id)

    return World(database, write, database.state)


class Rig:
    """A consumer at work on one partition, and everything that is to be seen of it, told by labels.

    Messages have labels such as `a1`, whose first letter is the record's key. `OrderCreated` is handled one by one,
    `OrderConfirmed` in bulk, `OrderCancelled` by nobody. A handler writes the message's id, sends a message about
    `OrderCreated`, and then fails if the case has it fail.
    """

    def __init__(self, world: World, **options: Any) -> None:
        self.fails: dict[str, Callable[[], BaseException]] = {}
        """What to raise for which messages, once their effect is written."""
        self.calls: list[list[str]] = []
        """Labels of each call of a handler."""
        self.attempts: list[tuple[str, int]] = []
        """Which messages were handled one by one, and in which attempt."""
        self.world = world
        self.log = Log()
        self.window = InboxWindow()
        self.outbox: Outbox = world.database.outbox()
        usual: dict[str, Any] = {
            "name": "contract-worker",
            "handlers": [self._handler_of_one(), self._handler_of_many()],
            "sends": [PaymentCompleted],
            "retries": POLICY,
        }
        self.consumer = Consumer(**usual | options)
        self.store: Store
        self.worker: Worker
        self._labels: dict[UUID, str] = {}
        self._by_offset: dict[int, str] = {}

    async def start(self) -> "Rig":
        """Start a worker, as after a restart of the process."""
        self.store, window = await self.world.database.open(self.consumer)
        self.window.first, self.window.end = window.first, window.end
        self.worker = Worker(self.consumer, self.store, self.outbox, self.window)
        return self

    async def beside(self, **options: Any) -> "Rig":
        """Return a rig for another consumer on the same database and the same log."""
        other = await Rig(self.world, **options).start()
        other.log, other.fails = self.log, self.fails
        other._labels, other._by_offset = self._labels, self._by_offset
        return other

    def placed(self, label: str, customer_id: str = "ada") -> NewRecord:
        """Return a message that is handled one by one."""
        return self._record(
            label,
            OrderCreated(
                order_id=new_id(),
                customer_id=customer_id,
                currency="EUR",
                lines=(),
                total=Decimal(5),
                placed_at=datetime.now(UTC),
            ),
        )

    def confirmed(self, label: str, currency: str = "EUR") -> NewRecord:
        """Return a message that is handled in bulk."""
        return self._record(
            label,
            OrderConfirmed(
                order_id=new_id(),
                payment_id=new_id(),
                currency=currency,
                total=Decimal(5),
                confirmed_at=datetime.now(UTC),
            ),
        )

    def cancelled(self, label: str) -> NewRecord:
        """Return a message that is ignored."""
        return self._record(
            label,
            OrderCancelled(
                order_id=new_id(),
                reason="tired",
                currency="EUR",
                total=Decimal(5),
                cancelled_at=datetime.now(UTC),
            ),
        )

    def publish(self, records: Sequence[NewRecord]) -> None:
        """Put records into the log."""
        for record in records:
            stored = self.log.append(record)
            self._by_offset[stored.offset] = self.label_of_record(record)

    async def deliver(self, *batches: Sequence[NewRecord]) -> None:
        """Have batches come, each in one fetch."""
        for batch in batches:
            self.publish(batch)
            await self.worker.step(self.log, PLACE, len(batch))

    async def apply(
        self, *records: NewRecord, base: int | None = None, patient: bool = True
    ) -> Applied:
        """Apply a batch once, whatever comes of it.

        Args:
            records: The batch.
            base: Position to begin at, if not where the database says.
            patient: Whether what is transient ends the attempt.
        """
        begin = self.log.end(PLACE)
        self.publish(records)
        end = self.log.end(PLACE)
        position = await self.store.begin(PLACE, 0)
        batch = await self.worker.intake.prepare(self.log.fetch(PLACE, begin, len(records)))
        chunk = Chunk(PLACE, position if base is None else base, batch, end)
        return await self.worker.processor.apply(chunk, patient=patient)

    async def rewind(self) -> None:
        """Put the position back to the beginning, as somebody may who wants everything delivered again."""
        await self.store.move(PLACE, self.log.end(PLACE), 0)
        self.worker.positions.clear()

    async def after(self, seconds: float) -> int:
        """Let time pass, and return how many sequences were then tried again."""
        await self.world.database.pass_time(seconds)
        return await self.worker.retry()

    def label_of(self, message_id: UUID) -> str:
        """Return the label of a message."""
        return self._labels[message_id]

    def label_of_record(self, record: NewRecord) -> str:
        """Return the label that a record was made with."""
        return self._labels[UUID(_header(record, "label"))]

    async def effects(self) -> list[str]:
        """Labels of the messages whose effect is kept, in the order of the effects."""
        return [self._labels[message_id] for message_id in await self.world.written()]

    async def look(self) -> Observed:
        """Everything else that is to be seen."""
        return await self.world.database.look(self.consumer.name)

    async def sent(self) -> list[str]:
        """Labels of the messages that another one was sent about."""
        return [
            self._labels[each.context.causation_id or UUID(int=0)]
            for each in (await self.look()).sent
            if isinstance(each.message, PaymentCompleted)
        ]

    async def parked(self) -> list[tuple[str, str]]:
        """Labels and reasons of parked messages, those of a key in their order."""
        return [
            (self._by_offset[each.offset], each.reason)
            for each in sorted((await self.look()).parked, key=lambda each: each.offset)
        ]

    async def dead(self) -> list[str]:
        """Labels of messages that were told of as dead letters."""
        return [self._by_offset[letter.offset] for letter in await self.letters()]

    async def letters(self) -> list[MessageDeadLettered]:
        """What was told of dead letters."""
        messages = [each.message for each in (await self.look()).sent]
        return [message for message in messages if isinstance(message, MessageDeadLettered)]

    async def progress(self) -> tuple[int | None, int, int]:
        """Position, messages that came for the first time, and duplicates."""
        seen = await self.look()
        return await self.store.position(PLACE), seen.applied, seen.duplicates

    def _record(self, label: str, message: Any) -> NewRecord:
        message_id = new_id()
        self._labels[message_id] = label
        record = deliver(message, key=label[0], message_id=message_id)
        return replace(record, headers=record.headers_with(label=str(message_id)))

    def _handler_of_one(self) -> Any:
        @handles(OrderCreated)
        async def place(order: OrderCreated, work: Work) -> None:
            delivery = work.delivery
            label = self._labels[delivery.message_id]
            self.calls.append([label])
            self.attempts.append((label, delivery.attempt))
            await self.world.write(work.connection, delivery.message_id)
            await work.send(self._payment(order), key=delivery.key)
            self._fail_if_told(label)

        return place

    def _handler_of_many(self) -> Any:
        @handles_in_bulk(OrderConfirmed)
        async def confirm(received: Sequence[Received[OrderConfirmed]], work: BulkWork) -> None:
            labels = [self._labels[each.delivery.message_id] for each in received]
            self.calls.append(labels)
            for each in received:
                await self.world.write(work.connection, each.delivery.message_id)
            for label in labels:
                self._fail_if_told(label)

        return confirm

    def _fail_if_told(self, label: str) -> None:
        if label in self.fails:
            error = self.fails[label]()
            raise error

    @staticmethod
    def _payment(order: OrderCreated) -> PaymentCompleted:
        return PaymentCompleted(
            payment_id=new_id(),
            order_id=order.order_id,
            currency=order.currency,
            amount=order.total,
            completed_at=datetime.now(UTC),
        )


def _header(record: NewRecord, name: str) -> str:
    value = dict(record.headers)[name]
    assert value is not None
    return value.decode()
