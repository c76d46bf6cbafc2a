"""Events for workers under test: spread over keys, numbered within each key."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

from cdc.ids import new_id
from schemas.messages.payments import PaymentCompleted
from tests.produce import Maker, NewRecord, Place, Sender
from tests.stack import RunningStack

INTERVAL_S = 0.25


@dataclass
class Load:
    """Sends events to a topic.

    Args:
        stack: The running stack.
        topic: Where to.
        keys: How many keys the events are spread over, in turn.
    """

    stack: RunningStack
    topic: str
    keys: int
    sent: list[NewRecord] = field(default_factory=list)
    """Every event, in the order sent; one that is sent again is here once."""
    repeated: int = 0
    """How many records were sent again."""

    def __post_init__(self) -> None:
        self.make = Maker(self.stack)
        self._sender = Sender(self.stack)
        names = [f"key-{number}" for number in range(self.keys)]
        self._next = ((name, number) for number in count(1) for name in names)

    def new(self, number: int) -> list[NewRecord]:
        """Return events that are not sent yet."""
        return [self._payment(*next(self._next)) for _ in range(number)]

    def send(
        self, records: Sequence[NewRecord] | int, *, partition: int | None = None
    ) -> list[Place]:
        """Send events, or so many new ones, and return their places.

        Args:
            records: What to send, or how many.
            partition: Where to, instead of where the keys belong.
        """
        events = self.new(records) if isinstance(records, int) else records
        places = self._sender.send(self.topic, events, partition=partition)
        self.sent += events
        return places

    def send_again(self, records: Sequence[NewRecord]) -> None:
        """Send events another time, as a connector does that was killed before it noted how far it had come."""
        self._sender.send(self.topic, records)
        self.repeated += len(records)

    @contextmanager
    def flowing(self, *, per_s: int, total: int = 0, again: int = 0) -> Iterator[None]:
        """Send events at a steady rate while the block runs; when it ends, send at once what is left of the total.

        Args:
            per_s: How many a second.
            total: How many in all; 0 for as many as it comes to.
            again: How many of each lot are sent again.
        """
        ended = threading.Event()
        lot = max(1, int(per_s * INTERVAL_S))
        begin = len(self.sent)

        def flow() -> None:
            left = total
            while left > 0 or not (total or ended.is_set()):
                self.send(min(lot, left) if total else lot)
                if again:
                    self.send_again(self.sent[-again:])
                left = begin + total - len(self.sent)
                ended.wait(INTERVAL_S)

        with ThreadPoolExecutor(1) as executor:
            flowing = executor.submit(flow)
            try:
                yield
            finally:
                ended.set()
            flowing.result()

    def _payment(self, key: str, number: int) -> NewRecord:
        payment = PaymentCompleted(
            payment_id=new_id(),
            order_id=new_id(),
            currency="EUR",
            amount=Decimal(number),
            completed_at=datetime.now(UTC),
        )
        return self.make.record(payment, key=key)
