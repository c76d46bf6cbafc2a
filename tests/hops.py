"""Services in a row that call each other over real sockets, and servers that misbehave behind them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from cdc.context import MessageContext
from cdc.ids import new_id
from producers.calling.client import ServiceClient, open_client
from producers.calling.settings import CallSettings
from producers.rest.app import build_app
from producers.rest.body import JsonRoute
from producers.rest.context import Context
from producers.rest.problems import ProblemError
from producers.rest.protocol import ProblemProtocol
from producers.rest.server import Server, _listen
from producers.rest.settings import RequestSettings
from tests.answers import http
from tests.plain_http import PLAIN

PATIENCE_S = 20.0
CONTEXT = MessageContext(correlation_id=new_id())

Work = Callable[[], Awaitable[None]]
Reply = Callable[[int, bytes], bytes | None]
"""What is answered to a request, by its number from 1 on and its bytes; silence to None."""


def app_of(
    *routers: APIRouter, settings: RequestSettings | None = None, title: str = "hop"
) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    return build_app(
        title=title, description=title, routers=routers, lifespan=lifespan, settings=settings
    )


def hop(work: Work, behind: ServiceClient | None = None) -> FastAPI:
    """Return a service that works, and then asks the one behind it, if there is one."""
    router = APIRouter(route_class=JsonRoute)

    @router.get("/work")
    async def answer(context: Context) -> str:
        await work()
        if behind is not None:
            said = await behind.call("GET", "/work", context)
            if not said.is_success:
                raise ProblemError(said.status, "behind: " + said.body.decode())
        return "done"

    return app_of(router)


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application as services are; yield its URL."""
    with _listen("127.0.0.1", 0) as listener:
        server = Server(
            uvicorn.Config(
                app,
                http=ProblemProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=1,
            ),
            app.state.streams.end if isinstance(app, FastAPI) else lambda: None,
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{port_of(listener)}"
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def client_of(
    url: str, *, timeout_s: float = 5.0, **settings: float | Path
) -> AsyncIterator[ServiceClient]:
    bounds = CallSettings.model_validate(settings)
    async with open_client("orders", url, bounds, timeout_s=timeout_s) as client:
        yield client


class Scripted:
    """A server that answers as it is told, and counts what it is asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.requests: list[bytes] = []
        self.arrivals: list[float] = []
        self.hung_up = 0
        self.close: Callable[[], None] = lambda: None
        self._serving: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.close = server.close
        try:
            yield f"http://127.0.0.1:{port_of(server.sockets[0])}"
        finally:
            server.close()
            for each in self._serving:
                each.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            self.arrivals.append(asyncio.get_running_loop().time())
            said = self.reply(len(self.requests), head)
            if said is None:
                await reader.read()
                self.hung_up += 1
            else:
                writer.write(said)
                await writer.drain()


async def asked(url: str, method: str = "GET", /, **request: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(verify=PLAIN, timeout=PATIENCE_S, trust_env=False) as client:
        return await client.request(method, url, **request)


async def until(holds: Callable[[], bool]) -> None:
    """Give the loop to others until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


def ok() -> bytes:
    return http(200, b'"done"', "application/json")


def in_trouble(*headers: str, status: int = 503) -> bytes:
    problem = b'{"title": "x", "status": %d, "detail": "trouble"}' % status
    return http(status, problem, "application/problem+json", *headers)


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


@contextmanager
def black_hole(host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Give the URL of a port on which the kernel drops whoever wants to connect: its queue is full."""
    with socket.socket() as listener:
        listener.bind((host, port))
        listener.listen(0)
        waiting = [_connecting(host, port_of(listener)) for _ in range(4)]
        try:
            yield f"http://{host}:{port_of(listener)}"
        finally:
            for each in waiting:
                each.close()


def _connecting(host: str, port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    with suppress(BlockingIOError):
        connection.connect((host, port))
    return connection
