"""What the tests of the services share: a storefront, and real servers that misbehave behind it."""

import asyncio
import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from producers.storefront.bootstrap import Settings, create_app
from tests.answers import http

Ask = Callable[..., httpx2.Response]
Recording = Callable[[bytes | None], tuple[str, list[bytes]]]
Answering = Callable[[bytes | None], str]


@contextlib.contextmanager
def running(orders_url: str, *, timeout_ms: int = 5_000) -> Iterator[Ask]:
    """Run a storefront in front of a URL; yield a function that sends it a request."""
    settings = Settings(port=1, orders_url=orders_url, orders_timeout_ms=timeout_ms)
    app = create_app(settings)
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://storefront"
    )

    async def ask(method: str, path: str, **request: Any) -> httpx2.Response:
        return await client.request(method, path, **request)

    lifespan = app.router.lifespan_context(app)
    with asyncio.Runner() as runner:
        runner.run(lifespan.__aenter__())
        try:
            yield lambda method, path, **request: runner.run(ask(method, path, **request))
        finally:
            runner.run(lifespan.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def lonely_storefront() -> Iterator[Ask]:
    """Ask a storefront behind which nobody listens."""
    with running("http://127.0.0.1:9") as ask:
        yield ask


@pytest.fixture
def storefront() -> Iterator[Callable[..., Ask]]:
    """Open a storefront in front of a URL; ask it."""
    with ExitStack() as stack:
        yield lambda url, **settings: stack.enter_context(running(url, **settings))


@pytest.fixture
def recording() -> Iterator[Recording]:
    """Start a server that answers every request with the same bytes; return its URL and what it receives."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(_server(answer))


@pytest.fixture
def answering(recording: Recording) -> Answering:
    """Start a server that answers with the same bytes, or with silence; return its URL."""
    return lambda answer: recording(answer)[0]


@pytest.fixture
def trickling() -> Iterator[str]:
    """Start a server that answers a byte at a time and comes to no end; return its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_trickle, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def _trickle(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        connection.sendall(http(200, b"", "application/json").replace(b"length: 0", b"length: 999"))
        while not select.select([connection], [], [], 0.02)[0] or connection.recv(65536):
            connection.sendall(b" ")


@contextlib.contextmanager
def _server(answer: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, answer, received, done))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
        finally:
            done.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def _serve(
    listener: socket.socket, answer: bytes | None, received: list[bytes], done: threading.Event
) -> None:
    with ExitStack() as silent:
        while True:
            connection, _ = listener.accept()
            if done.is_set():
                connection.close()
                return
            if answer is None:
                silent.enter_context(connection)
                continue
            with connection:
                received.append(connection.recv(65536))
                with contextlib.suppress(OSError):  # who is answered too much hangs up
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
