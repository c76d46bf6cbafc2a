"""Clients that place orders over HTTP, and wait for the event that says what became of each."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import aiohttp
from aiokafka import AIOKafkaConsumer

from tests.bench.errors import BenchError

TIMEOUT_S = 60.0
WAIT_MS = 200
KEEP_ALIVE_S = 2.0
AGAIN_S = 0.2
SKUS = 100
WARM_UP, WARM_UP_CLIENTS = 100, 16
Steps = Literal["two", "four"]
"""Of an order: it is paid, and if it has anything to send, that is set aside and shipped."""


def order(steps: Steps, number: int) -> dict[str, Any]:
    """Return the body of a request for an order."""
    digital = steps == "two"
    line = {
        "sku": "song-1" if digital else f"article-{number % SKUS}",
        "quantity": 2,
        "unit_price": "12.50",
        "tax_rate": "0",
        "digital": digital,
    }
    return {"customer_id": "ada", "currency": "EUR", "lines": [line]}


@dataclass(frozen=True, slots=True)
class System:
    """What is measured, as its clients see it.

    Args:
        url: Where orders are POSTed.
        steps: Which orders.
        bootstrap: Kafka.
        topic: Where the last event of an order comes, its key the order's id.
        last: Types of that event, as in the header `ce_type`.
        more: What the body of a request has besides.
    """

    url: str
    steps: Steps
    bootstrap: str
    topic: str
    last: frozenset[bytes]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Took:
    """How long orders took, in seconds: each POST until it is accepted, and each order until its last event."""

    refused: int = 0  # answers that it was too much for the moment
    post: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Clients:
    """Clients of a system.

    Args:
        system: The system.
        http: Their connections.
    """

    def __init__(self, system: System, http: aiohttp.ClientSession) -> None:
        self._system = system
        self._http = http
        self._ended: dict[bytes, asyncio.Future[None]] = {}
        self._numbers = count()

    async def warm_up(self, seconds: float) -> None:
        """Place orders for so long: a JVM compiles itself for half a minute, and then serves for weeks."""
        warm_at = time.perf_counter() + seconds
        while time.perf_counter() < warm_at:
            await self.closed(WARM_UP_CLIENTS, WARM_UP)

    async def closed(self, clients: int, orders: int) -> Took:
        """Have each client place the next order when its last one has ended."""
        took, left = Took(), iter(range(orders))
        begin = time.perf_counter()

        async def client() -> None:
            for _ in left:
                await self._order(took, time.perf_counter())

        await asyncio.gather(*(client() for _ in range(clients)))
        took.seconds = time.perf_counter() - begin
        return took

    async def open(self, per_s: float, orders: int) -> Took:
        """Place orders at a steady rate, whatever becomes of them; an order's time begins when it is due."""
        took, begin = Took(), time.perf_counter()

        async def one(number: int) -> None:
            due = begin + number / per_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await self._order(took, due)

        await asyncio.gather(*(one(number) for number in range(orders)))
        took.seconds = time.perf_counter() - begin
        return took

    async def _order(self, took: Took, begin: float) -> None:
        body = {**order(self._system.steps, next(self._numbers)), **self._system.more}
        answer = await self._accepted(took, body, begin + TIMEOUT_S)
        took.post.append(time.perf_counter() - begin)
        ended = self._future(answer["order_id"].encode())
        await asyncio.wait_for(ended, TIMEOUT_S)
        took.end.append(time.perf_counter() - begin)

    async def _accepted(self, took: Took, body: Mapping[str, Any], until: float) -> dict[str, Any]:
        """Place an order, again as long as the answer is that it was too much for the moment."""
        while True:
            async with self._http.post(self._system.url, json=body) as response:
                if response.status == 201:
                    accepted: dict[str, Any] = await response.json()
                    return accepted
                if response.status != 503 or time.perf_counter() > until:
                    answer = await response.text()
                    raise BenchError(f"An order was answered with {response.status}: {answer}")
            took.refused += 1
            await asyncio.sleep(AGAIN_S)

    def _future(self, key: bytes) -> asyncio.Future[None]:
        if key not in self._ended:
            self._ended[key] = asyncio.get_running_loop().create_future()
        return self._ended[key]

    async def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Note the last event of every order."""
        while True:
            for records in (await consumer.getmany(timeout_ms=WAIT_MS)).values():
                self._note(records)

    def _note(self, records: Sequence[Any]) -> None:
        for record in records:
            if dict(record.headers).get("ce_type") in self._system.last:
                ended = self._future(record.key)
                if not ended.done():
                    ended.set_result(None)


@asynccontextmanager
async def clients_of(system: System) -> AsyncIterator[Clients]:
    """Open clients, and watch what comes from now on."""
    consumer = AIOKafkaConsumer(
        system.topic, bootstrap_servers=system.bootstrap, enable_auto_commit=False
    )
    # a connection is given up before the server gives it up, which may come in the way of a request
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
    async with (
        consumer,
        aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        ) as http,
    ):
        await _begin_at_the_end(consumer)
        clients = Clients(system, http)
        watching = asyncio.create_task(clients.watch(consumer))
        try:
            yield clients
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def _begin_at_the_end(consumer: AIOKafkaConsumer) -> None:
    await consumer.seek_to_end()
    for place in consumer.assignment():
        await consumer.position(place)
