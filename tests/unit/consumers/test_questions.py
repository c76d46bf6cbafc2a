"""The thread that reads requests goes on, whatever it did not foresee: without it every question would time out."""

import asyncio
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cdc.requests.replies import ReplyReader
from consumers.runtime.answering.questions import QuestionReader
from consumers.runtime.group import remove, unanswered
from tests.services import free_port

PATIENCE_S = 30.0
API_VERSIONS, METADATA = 18, 3


class Unforeseen:
    """Fails the first time it is called."""

    def __init__(self, error: Exception) -> None:
        self._errors = [error]
        self.called_again = threading.Event()

    def __call__(self, *_: object) -> None:
        if self._errors:
            raise self._errors.pop()
        self.called_again.set()


ERRORS = [
    AssertionError("Did we not perform bootstrap?"),
    RuntimeError(),
    OSError(5, "no"),
    KeyError("k"),
]


def goes_on(reader: threading.Thread, unforeseen: Unforeseen) -> bool:
    reader.start()
    return unforeseen.called_again.wait(PATIENCE_S) and reader.is_alive()


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_requests_are_read_after_what_nobody_foresaw(error: Exception) -> None:
    unforeseen = Unforeseen(error)
    reader = QuestionReader(
        bootstrap=f"127.0.0.1:{free_port()}",
        group="g",
        client_id="c",
        topics=["t"],
        take=lambda _: None,
        between=unforeseen,
        most=100,
    )
    assert goes_on(reader, unforeseen)
    reader.stop()
    reader.join(PATIENCE_S)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_replies_are_read_after_what_nobody_foresaw(error: Exception) -> None:
    unforeseen = Unforeseen(error)
    reader = ReplyReader(
        bootstrap=f"127.0.0.1:{free_port()}",
        topic="t",
        key="k",
        found=lambda: None,
        take=lambda _: None,
        between=unforeseen,
    )
    assert goes_on(reader, unforeseen)
    assert reader.trouble
    reader.stop()


@asynccontextmanager
async def knowing_no_brokers() -> AsyncIterator[int]:
    """A broker that has just started, and tells of none yet, not even of itself."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while size := await reader.read(4):
            request = await reader.readexactly(*struct.unpack("!i", size))
            kind, _, number = struct.unpack("!hhi", request[:8])
            answer = (
                bytes(8)
                if kind == METADATA
                else struct.pack("!hi6h", 0, 2, API_VERSIONS, 0, 0, METADATA, 0, 0)
            )
            writer.write(struct.pack("!ii", 4 + len(answer), number) + answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_a_broker_that_tells_of_no_brokers_counts_as_one_that_does_not_answer() -> None:
    async def run() -> None:
        async with knowing_no_brokers() as port, asyncio.timeout(PATIENCE_S):
            with pytest.raises(unanswered()):
                await remove(f"127.0.0.1:{port}", "g", ["m"])

    asyncio.run(run())
