"""Server-Sent Events as browsers read them: what `EventSource` does, by the letter of the HTML standard."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.hops import PATIENCE_S
from tests.plain_http import PLAIN

Told = tuple[str, Any]
"""Id and data of an event."""


@asynccontextmanager
async def stream(url: str, **headers: str) -> AsyncIterator[httpx2.Response]:
    """Open a stream of events, once."""
    async with (
        httpx2.AsyncClient(verify=PLAIN, timeout=PATIENCE_S, trust_env=False) as client,
        client.stream("GET", url, headers={"accept": "text/event-stream", **headers}) as answer,
    ):
        yield answer


async def events(answer: httpx2.Response) -> AsyncGenerator[Told, None]:
    """Yield the events of an answer, and comments with the id `:`; ends with the answer."""
    seen, data = "", ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(":")
        if name == "id":
            seen = value.strip()
        elif name == "data":
            data = value.strip()
        elif line.startswith(":"):
            yield ":", None
        elif not line and data:
            yield seen, json.loads(data)
            data = ""


@dataclass
class EventSource:
    """Follows a stream, and comes back when it has ended or broken, until it is answered with anything but 200."""

    url: str
    retry_s: float = 0.01
    told: list[Told] = field(default_factory=list)
    opened: int = 0
    status: int = 0
    """What ended it."""

    async def follow(self) -> None:
        seen = ""
        while True:
            try:
                async with stream(self.url, **{"last-event-id": seen} if seen else {}) as answer:
                    self.status = answer.status_code
                    if self.status != 200:
                        return
                    self.opened += 1
                    async for event in events(answer):
                        if event[0] != ":":
                            seen = event[0]
                            self.told.append(event)
            except httpx2.TransportError:
                pass
            await asyncio.sleep(self.retry_s)

    @property
    def versions(self) -> list[int]:
        return [data["version"] for _, data in self.told]
