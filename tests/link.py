"""A link between two parts: a proxy on the way to a server, which can be cut, go silent or be slow."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Self, cast

from infra.settings import HOST

CHUNK = 65_536


class Link:
    """Hands on what clients and a server say to each other.

    Args:
        server: Port of the server.

    Attributes:
        port: Port to connect to.
        held_up: How often something was held back, or refused.
    """

    _loop: asyncio.AbstractEventLoop
    _ended: asyncio.Event
    _goes_on: asyncio.Event

    def __init__(self, server: int) -> None:
        self.port = 0
        self.held_up = 0
        self._server = server
        self._is_cut = False
        self._delay_s = 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._at_work: set[asyncio.Task[None]] = set()

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Take connections while the block runs."""
        listening = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._run(listening)))
        thread.start()
        listening.wait()
        try:
            yield self
        finally:
            self._call(self._ended.set)
            thread.join()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Break all connections, and whatever is opened while the block runs."""
        self._is_cut = True
        self._call(self.drop)
        try:
            yield
        finally:
            self._is_cut = False

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Hand on nothing while the block runs, and afterwards what was held back; nobody is told of it."""
        self._call(self._goes_on.clear)
        try:
            yield
        finally:
            self._call(self._goes_on.set)

    @contextmanager
    def slow(self, delay_s: float) -> Iterator[None]:
        """Hand on everything that much later while the block runs, one piece after the other."""
        self._delay_s = delay_s
        try:
            yield
        finally:
            self._delay_s = 0.0

    def drop(self) -> None:
        """Break all connections; for the thread of the link."""
        for writer in self._writers:
            writer.transport.abort()

    def _call(self, what: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(what)

    async def _run(self, listening: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        listener = await asyncio.start_server(self._connected, HOST, 0)
        self.port = listener.sockets[0].getsockname()[1]
        listening.set()
        await self._ended.wait()
        listener.close()
        self._goes_on.set()
        self.drop()
        # what is still at work would be cancelled, and told of as an error
        await asyncio.gather(*self._at_work)

    async def _connected(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        both = {to_client}
        try:
            if self._is_cut:
                self.held_up += 1
                return
            server, to_server = await asyncio.open_connection(HOST, self._server)
            both.add(to_server)
            self._writers |= both
            async with asyncio.TaskGroup() as tasks:
                for handing_on in self._pumps(client, to_client, server, to_server):
                    tasks.create_task(handing_on)
        except* (OSError, asyncio.IncompleteReadError):
            await (
                self._held_up()
            )  # either side has gone, which the other one learns by the same way
        finally:
            self._writers -= both
            for writer in both:
                writer.transport.abort()

    def _pumps(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> tuple[Coroutine[Any, Any, None], Coroutine[Any, Any, None]]:
        """Return what hands on a connection's bytes, each way; it ends with an error when either side has gone."""
        return self._bytes(client, to_server), self._bytes(server, to_client)

    async def _bytes(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            await self._hand_on(target, data)
        raise ConnectionResetError

    async def _hand_on(self, target: asyncio.StreamWriter, data: bytes) -> None:
        await self._held_up()
        target.write(data)
        await target.drain()

    async def _held_up(self) -> None:
        if not self._goes_on.is_set():
            self.held_up += 1
            await self._goes_on.wait()
        if self._delay_s:
            self.held_up += 1
            await asyncio.sleep(self._delay_s)
