"""A link to a broker, which can also have it tell of no brokers, as one does that is counted as lost."""

import asyncio
import struct
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from infra.settings import HOST
from tests.link import Link

METADATA, COORDINATOR = 3, 10
FLEXIBLE = 9
"""First version of metadata that has lengths of variable size, and tags."""
REQUEST = struct.Struct(">hhi")  # kind, version, number
NUMBER = struct.Struct(">i")
BROKERS_AT = 4 + 1 + 4  # number, tags, throttle
NONE, ONE = 1, 2  # the length of an array, and one


class KafkaProxy(Link):
    """Hands on what clients and a broker say to each other, other than where the broker is: that is here.

    Args:
        broker: Port of the broker, which is the only one of its cluster.

    Attributes:
        told: How often no broker was told of.
    """

    def __init__(self, broker: int) -> None:
        super().__init__(broker)
        self.told = 0
        self._tells_of_none = False

    @contextmanager
    def telling_of_none(self) -> Iterator[None]:
        """Break all connections, and tell of no brokers while the block runs."""
        self._tells_of_none = True
        self._call(self.drop)
        try:
            yield
        finally:
            self._tells_of_none = False

    def _pumps(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> tuple[Coroutine[Any, Any, None], Coroutine[Any, Any, None]]:
        asked = dict[int, bool]()
        return self._requests(client, to_server, asked), self._answers(server, to_client, asked)

    async def _requests(
        self, client: asyncio.StreamReader, broker: asyncio.StreamWriter, asked: dict[int, bool]
    ) -> None:
        while True:
            request = await _read(client)
            kind, version, number = REQUEST.unpack_from(request)
            if kind in {METADATA, COORDINATOR}:
                asked[number] = kind == METADATA and version >= FLEXIBLE
            await self._hand_on(broker, _framed(request))

    async def _answers(
        self, broker: asyncio.StreamReader, client: asyncio.StreamWriter, asked: dict[int, bool]
    ) -> None:
        while True:
            answer = await _read(broker)
            [number] = NUMBER.unpack_from(answer)
            if number in asked:
                answer = self._changed(answer, names_all=asked.pop(number))
            await self._hand_on(client, _framed(answer))

    def _changed(self, answer: bytes, *, names_all: bool) -> bytes:
        """Return an answer that tells of brokers as one that tells of us, or of nobody."""
        if names_all and self._tells_of_none and answer[BROKERS_AT] == ONE:
            self.told += 1
            name_at = BROKERS_AT + 1 + NUMBER.size
            # the length of a name, which counts one more, stands before it, and the port behind
            rack_at = name_at + answer[name_at] + NUMBER.size
            end = rack_at + max(1, answer[rack_at]) + 1  # with no tags
            return answer[:BROKERS_AT] + bytes([NONE]) + answer[end:]
        broker, us = (HOST.encode() + NUMBER.pack(port) for port in (self._server, self.port))
        return answer.replace(broker, us)


async def _read(reader: asyncio.StreamReader) -> bytes:
    [size] = NUMBER.unpack(await reader.readexactly(4))
    return await reader.readexactly(size)


def _framed(data: bytes) -> bytes:
    return NUMBER.pack(len(data)) + data
