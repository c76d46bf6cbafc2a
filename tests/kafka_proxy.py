"""A proxy in front of a broker, which can have it tell of no brokers, as one does that is counted as lost."""

import asyncio
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from infra.settings import HOST

METADATA, COORDINATOR = 3, 10
FLEXIBLE = 9
"""First version of metadata that has lengths of variable size, and tags."""
REQUEST = struct.Struct(">hhi")  # kind, version, number
NUMBER = struct.Struct(">i")
BROKERS_AT = 4 + 1 + 4  # number, tags, throttle
NONE, ONE = 1, 2  # the length of an array, and one


class KafkaProxy:
    """Hands on what clients and a broker say to each other, other than where the broker is: that is here.

    Args:
        broker: Port of the broker, which is the only one of its cluster.

    Attributes:
        port: Port to connect to.
        told: How often no broker was told of.
    """

    _loop: asyncio.AbstractEventLoop
    _ended: asyncio.Event

    def __init__(self, broker: int) -> None:
        self.port = 0
        self.told = 0
        self._broker = broker
        self._tells_of_none = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._at_work: set[asyncio.Task[None]] = set()

    @contextmanager
    def running(self) -> Iterator["KafkaProxy"]:
        """Take connections while the block runs."""
        listening = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._run(listening)))
        thread.start()
        listening.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)
            thread.join()

    @contextmanager
    def telling_of_none(self) -> Iterator[None]:
        """Break all connections, and tell of no brokers while the block runs."""
        self._tells_of_none = True
        self._loop.call_soon_threadsafe(self._break)
        try:
            yield
        finally:
            self._tells_of_none = False

    async def _run(self, listening: threading.Event) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await self._ended.wait()
        server.close()
        self._break()
        # what is still at work would be cancelled, and told of as an error
        await asyncio.gather(*self._at_work)

    def _break(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _connected(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        broker, to_broker = await asyncio.open_connection(HOST, self._broker)
        asked = dict[int, bool]()
        both = {to_client, to_broker}
        self._writers |= both
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._requests(client, to_broker, asked))
                tasks.create_task(self._answers(broker, to_client, asked))
        except* (OSError, asyncio.IncompleteReadError):
            pass  # either side has gone
        finally:
            self._writers -= both
            for writer in both:
                writer.close()

    async def _requests(
        self, client: asyncio.StreamReader, broker: asyncio.StreamWriter, asked: dict[int, bool]
    ) -> None:
        while True:
            request = await _read(client)
            kind, version, number = REQUEST.unpack_from(request)
            if kind in {METADATA, COORDINATOR}:
                asked[number] = kind == METADATA and version >= FLEXIBLE
            _write(broker, request)

    async def _answers(
        self, broker: asyncio.StreamReader, client: asyncio.StreamWriter, asked: dict[int, bool]
    ) -> None:
        while True:
            answer = await _read(broker)
            [number] = NUMBER.unpack_from(answer)
            if number in asked:
                answer = self._changed(answer, names_all=asked.pop(number))
            _write(client, answer)

    def _changed(self, answer: bytes, *, names_all: bool) -> bytes:
        """Return an answer that tells of brokers as one that tells of us, or of nobody."""
        if names_all and self._tells_of_none and answer[BROKERS_AT] == ONE:
            self.told += 1
            name_at = BROKERS_AT + 1 + NUMBER.size
            # the length of a name, which counts one more, stands before it, and the port behind
            rack_at = name_at + answer[name_at] + NUMBER.size
            end = rack_at + max(1, answer[rack_at]) + 1  # with no tags
            return answer[:BROKERS_AT] + bytes([NONE]) + answer[end:]
        broker, us = (HOST.encode() + NUMBER.pack(port) for port in (self._broker, self.port))
        return answer.replace(broker, us)


async def _read(reader: asyncio.StreamReader) -> bytes:
    [size] = NUMBER.unpack(await reader.readexactly(4))
    return await reader.readexactly(size)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(NUMBER.pack(len(data)) + data)
