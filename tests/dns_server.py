"""A small DNS server on a UDP socket, whose answers a test decides query by query, and a resolver that asks it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

A, AAAA = 1, 28
TTL_S = 0

Answers = Callable[[str, int], Sequence[str]]
"""Addresses of a name, for the query of this number, from 0."""


class DnsServer(asyncio.DatagramProtocol):
    """Answers queries for A and AAAA.

    Args:
        answers: What the names lead to.
    """

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._transport: Any = None
        self.asked: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 1
        name, kind = _name(data[12:end]), int.from_bytes(data[end : end + 2])
        if kind == A:
            self.asked.append(name)
        found = [ip_address(each) for each in self._answers(name, len(self.asked) - 1)]
        chosen = [each.packed for each in found if each.version == (4 if kind == A else 6)]
        records = b"".join(
            b"\xc0\x0c"
            + kind.to_bytes(2)
            + b"\0\1"
            + TTL_S.to_bytes(4)
            + len(each).to_bytes(2)
            + each
            for each in chosen
        )
        header = data[:2] + b"\x81\x80\0\1" + len(chosen).to_bytes(2) + b"\0\0\0\0"
        self._transport.sendto(header + data[12 : end + 4] + records, addr)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Callable[[str], "asyncio.Future[list[str]]"]]:
        """Serve while the block runs; it is given a resolver that asks here and nowhere else."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        try:
            yield lambda name: asyncio.ensure_future(_resolve(name, port))
        finally:
            transport.close()


class _Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.answer.set_result(data)


async def _resolve(name: str, port: int) -> list[str]:
    return [address for kind in (A, AAAA) for address in await _ask(name, kind, port)]


async def _ask(name: str, kind: int, port: int) -> list[str]:
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    query = (
        secrets.token_bytes(2)
        + b"\1\0\0\1\0\0\0\0\0\0"
        + labels
        + b"\0"
        + kind.to_bytes(2)
        + b"\0\1"
    )
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        _Client, remote_addr=("127.0.0.1", port)
    )
    try:
        transport.sendto(query)
        answer = await asyncio.wait_for(client.answer, 5)
    finally:
        transport.close()
    size = 4 if kind == A else 16
    records, length = answer[len(query) :], 12 + size
    return [
        str(ip_address(records[at + 12 : at + length])) for at in range(0, len(records), length)
    ]


def _name(labels: bytes) -> str:
    parts, at = [], 0
    while labels[at]:
        parts.append(labels[at + 1 : at + 1 + labels[at]].decode())
        at += 1 + labels[at]
    return ".".join(parts)
