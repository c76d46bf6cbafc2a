"""Runs a service until it is asked to stop: uvicorn with bounded connections and an orderly end."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn
import uvloop
from fastapi import FastAPI

from cdc.chores import cancel
from cdc.logs import FieldLogger
from cdc.service import FAILURE, NOT_STARTED, StartError
from cdc.signals import told_to_stop
from producers.discovery.registration import Registration
from producers.rest import limits
from producers.rest.protocol import ProblemProtocol

GRACE_S = 10
BACKLOG = 512  # connections that the kernel keeps until they are accepted
TICKS_A_SECOND = 10

log = FieldLogger(__name__)


class Server(uvicorn.Server):
    """A server for which being told to stop is no failure, and which looks after its connections.

    Args:
        config: How it serves.
        end_streams: Ends answers that would go on for minutes.
        registration: Where it is told of while it does.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        end_streams: Callable[[], None] = lambda: None,
        registration: Registration | None = None,
    ) -> None:
        super().__init__(config)
        self._end_streams = end_streams
        self._registration = registration
        self._leaving: asyncio.Task[None] | None = None

    async def on_tick(self, counter: int) -> bool:
        """Close, once a second, what has kept the service waiting for too long."""
        if counter % TICKS_A_SECOND == 0:
            now_s = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, ProblemProtocol):
                    connection.check(now_s)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; the kernel may queue more connections than are accepted in one turn of the loop."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)
        if self._registration is not None:
            await self._registration.begin()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, and finish open requests; if nobody has told us to stop, this ends the registration, too."""
        self._end_streams()
        if self._leaving is not None:
            await cancel([self._leaving])
        if self._registration is not None:
            await self._registration.end()
        await super().shutdown(sockets)

    def leave(self, number: int) -> None:
        """Be deregistered, go on to answer until that is known, and stop then; told again, stop at once."""
        if self._registration is None or self._leaving is not None:
            self.handle_exit(number, None)
        else:
            self._leaving = asyncio.create_task(self._leave(self._registration, number))

    async def _leave(self, registration: Registration, number: int) -> None:
        try:
            await registration.end()
        finally:
            self.handle_exit(number, None)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Finish open requests on SIGTERM and SIGINT, then return instead of dying of the signal."""
        with told_to_stop(self.leave):
            yield


def run(app: FastAPI, *, host: str, port: int, registration: Registration | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 when it could not start (a sentence says why)."""
    app.state.registration = registration
    # Its warnings repeat, without a reason, what the protocol says of refused requests.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    try:
        with _listen(host, port) as listener:
            uvloop.run(_serve(app, listener, registration))
    except NOT_STARTED as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return FAILURE
    return 0


async def _serve(app: FastAPI, listener: socket.socket, registration: Registration | None) -> None:
    config = uvicorn.Config(
        app,
        http=ProblemProtocol,
        ws="none",
        lifespan="off",  # entered here, so that what fails in it reaches the caller as an exception
        # asyncio accepts as many in one turn of the loop, before any of them can be counted
        backlog=max(1, limits.max_connections() // 4),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    async with app.router.lifespan_context(app):
        host, port = listener.getsockname()[:2]
        log.info("listening", host=host, port=port)
        await Server(config, app.state.streams.end, registration).serve(sockets=[listener])
    log.info("stopped")


def _listen(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only where the protocol is named, and with it on each
    # answer over a kept-alive connection waits 40 ms for the client's delayed acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; "
            "stop what uses it or set TAILRACE_PORT"
        ) from error
    return listener
