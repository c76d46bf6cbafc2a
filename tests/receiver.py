"""A receiver of webhooks on a real socket, which keeps what it was sent and answers as a test wants."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request], Awaitable[bytes]]


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer as it goes over the wire; `_` in the name of a header is a hyphen."""
    lines = [f"HTTP/1.1 {status} Told", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serving(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve while the block runs, which is given the port; every connection is over with it."""
    open_ones: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            open_ones.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await handle(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async with await asyncio.start_server(served, host, port, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
    for task in open_ones:
        task.cancel()
    await asyncio.gather(*open_ones, return_exceptions=True)


async def ok(request: Request) -> bytes:
    return answer(204)


@dataclass
class Receiver:
    """Keeps requests."""

    reply: Answer = ok
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @asynccontextmanager
    async def open(
        self, *, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator["Receiver"]:
        """Serve while the block runs."""
        async with serving(self._serve, port=port, tls=tls) as self.port:
            yield self

    @asynccontextmanager
    async def also_at(self, hosts: Sequence[str]) -> AsyncIterator[list[str]]:
        """Serve at other addresses of this machine as well while the block runs, which is given the URLs."""
        async with AsyncExitStack() as open_ones:
            yield [
                f"http://{host}:{await open_ones.enter_async_context(serving(self._serve, host=host))}/hooks"
                for host in hosts
            ]

    async def until(
        self, enough: Callable[[list[Request]], bool], *, timeout_s: float = 60
    ) -> None:
        """Wait for requests."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: enough(self.requests))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        request = await _read(reader)
        async with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        writer.write(await self.reply(request))
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *fields = head.strip().split("\r\n")
    headers = {}
    for each in fields:
        name, _, value = each.partition(":")
        headers[name.lower()] = value.strip()
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", 0))))
