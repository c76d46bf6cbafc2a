"""A steady load of orders at the storefront, each placed once, and what is known of each."""

import asyncio
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from cdc.ids import new_id
from infra.demo.asking import Asker
from infra.demo.generate import GeneratedOrders
from infra.demo.orders import FORMS, NewOrder
from infra.demo.send import Answer, Sender, Unknown, Unsent, open_client
from schemas.rest.orders.v2 import Order

CONNECTIONS = 1000
"""More than are open when nothing answers for as long as a request waits."""
ENDLESS = 10**9
PATIENCE_S = 120.0
"""How long an order is sent again whose answer was lost, or which was told to come back."""


@dataclass(slots=True)
class Sent:
    """An order that was sent.

    Args:
        correlation_id: The id it was sent with, of which its events tell.
        at: When, by `time.monotonic`.
        form: In which it is fulfilled.
        answer: What was answered; None until then.
        complete_at: When its last effect was seen; None until then.
    """

    correlation_id: str
    at: float
    form: str
    answer: Answer | None = None
    complete_at: float | None = None

    @property
    def order_id(self) -> UUID | None:
        """Its identity, if it was accepted."""
        return self.answer.order_id if isinstance(self.answer, Order) else None


@dataclass
class Load:
    """Sends orders at a rate that does not depend on whether they are answered.

    Args:
        url: The storefront.
        per_s: How many a second.
        seed: Which orders.
    """

    url: str
    per_s: float
    seed: int = 0
    sent: list[Sent] = field(default_factory=list)
    """Every order, in the order sent."""
    waiting: dict[UUID, Sent] = field(default_factory=dict)
    """Those that were accepted, and whose effects are not all there."""
    completed: int = 0
    """How many have all of their effects."""
    sent_again: int = 0
    """How often one was sent again, as it was refused for the moment or not answered."""
    replayed: int = 0
    """How many had been placed when their answer was lost, and were answered when sent again."""

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Send while the block runs, and wait at its end for the last answers."""
        ended = threading.Event()
        with ThreadPoolExecutor(1) as executor:
            flow = executor.submit(lambda: asyncio.run(self._flow(ended)))
            try:
                yield
            finally:
                ended.set()
            flow.result()

    def since(self, moment: float) -> Sequence[Sent]:
        """Return the orders that were sent at a moment of `time.monotonic` or later."""
        return self.sent[bisect_left(self.sent, moment, key=lambda sent: sent.at) :]

    def complete(self, order_id: UUID) -> None:
        """Note that all effects of an order are there."""
        self.waiting.pop(order_id).complete_at = time.monotonic()
        self.completed += 1

    async def _flow(self, ended: threading.Event) -> None:
        async with (
            open_client(self.url, connections=CONNECTIONS) as http,
            asyncio.TaskGroup() as posts,
        ):
            asker = Asker(http, timeout_s=PATIENCE_S, stopping=asyncio.Event())
            sender = Sender(asker)
            begin = time.monotonic()
            for number, order in enumerate(GeneratedOrders(ENDLESS, seed=self.seed)):
                await asyncio.sleep(max(0.0, begin + number / self.per_s - time.monotonic()))
                if ended.is_set():
                    break
                form = FORMS[number % len(FORMS)]
                posts.create_task(self._post(sender, replace(order, fulfilment=form), form))
        self.sent_again = asker.sent_again

    async def _post(self, sender: Sender, order: NewOrder, form: str) -> None:
        sent = Sent(str(new_id()), time.monotonic(), form)
        self.sent.append(sent)
        sent.answer = await sender.send(order, sent.correlation_id)
        self.replayed = sender.replayed
        if isinstance(sent.answer, Order):
            self.waiting[sent.answer.order_id] = sent


def unavailable(sent: Sequence[Sent]) -> int:
    """Count the orders that were certainly not placed."""
    return sum(isinstance(each.answer, Unsent) for each in sent)


def unanswered(sent: Sequence[Sent]) -> int:
    """Count the orders of which no answer tells whether they were placed."""
    return sum(isinstance(each.answer, Unknown) for each in sent)
