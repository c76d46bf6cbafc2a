"""A connection's bytes: what is written in one turn of the loop goes out at once, and before the connection ends."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from producers.rest.protocol import ProblemProtocol

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
BODY = b"done"


class Recording(asyncio.Transport):
    """A transport that keeps what is sent, each call by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.sent.append(bytes(data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


async def answer(_: Any, __: Any, send: Any) -> None:
    headers = [(b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def say_no_more(protocol: ProblemProtocol, transport: Recording) -> None:
    """The client hangs up half, which ends the connection when it is told that nothing follows."""
    if not protocol.eof_received():
        transport.close()


@pytest.mark.parametrize(
    "end",
    [
        lambda *_: None,
        say_no_more,
        lambda protocol, _: protocol.transport.close(),
        lambda protocol, _: protocol.shutdown(),
    ],
    ids=["goes on", "the client says no more", "closed", "shut down"],
)
def test_an_answer_goes_out_at_once_and_whole_however_the_connection_ends(
    end: Callable[[ProblemProtocol, Recording], None],
) -> None:
    async def scenario() -> None:
        config = uvicorn.Config(answer, http=ProblemProtocol, lifespan="off", log_config=None)
        config.load()
        protocol = ProblemProtocol(config, ServerState(), {})
        transport = Recording()
        protocol.connection_made(transport)
        protocol.data_received(REQUEST)
        while not (protocol.cycle and protocol.cycle.response_complete):
            assert transport.sent == []
            await asyncio.sleep(0)
        end(protocol, transport)  # before the loop has turned on
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        [sent] = transport.sent
        assert sent.startswith(b"HTTP/1.1 200 ")
        assert sent.endswith(b"\r\n\r\n" + BODY)

    asyncio.run(scenario())
