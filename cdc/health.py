"""Health endpoints: few connections and none for long, so that a probe is answered whatever other clients do."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPMethod, HTTPStatus
from inspect import isawaitable
from typing import Any

from aiohttp import web

from cdc.metrics import CONTENT_TYPE

LIFETIME_S = 5.0
"""After which a connection is closed, whatever it waits for; it serves one request."""
MAX_CONNECTIONS = 64
ACCEPTED_AT_ONCE = 16
"""Connections that asyncio accepts before any of them is counted."""
BACKLOG = 512
"""Connections that the kernel keeps until they are accepted; it makes others wait for a second."""
STOP_S = 1.0
"""How long an answer under way may take when the server stops."""
_METHODS = (HTTPMethod.GET, HTTPMethod.HEAD)

Told = tuple[HTTPStatus, Any]
"""A status, and metrics as text, or what is told as JSON."""
Answer = Callable[[], Told | Awaitable[Told]]


class HealthEndpoints:
    """Answers a few paths."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self._socket: socket.socket | None = None
        self._runner: web.ServerRunner | None = None

    def bind(self, host: str, port: int) -> int:
        """Take the port; return it, which is a free one when 0 was given."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family)
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        if self._socket is None:
            raise RuntimeError("bind() comes first")
        server = _BoundedServer(self._respond, access_log=None, lingering_time=0)
        self._runner = web.ServerRunner(server, shutdown_timeout=STOP_S)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, backlog=ACCEPTED_AT_ONCE).start()
        self._socket.listen(BACKLOG)

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    async def _respond(self, request: web.BaseRequest) -> web.Response:
        response = await self._response(request.method, request.path)
        response.force_close()
        return response

    async def _response(self, method: str, path: str) -> web.Response:
        answer = self._answers.get(path)
        if answer is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        if method not in _METHODS:
            allowed = {"allow": ", ".join(_METHODS)}
            return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED, headers=allowed)
        told = answer()
        status, body = await told if isawaitable(told) else told
        if isinstance(body, str):
            headers = {"content-type": CONTENT_TYPE}
            return web.Response(body=body.encode(), status=status, headers=headers)
        return web.json_response(text=json.dumps(body, indent=1), status=status)


class _BoundedServer(web.Server):
    """Closes a connection after some seconds, and the oldest one when there are too many."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._open: dict[web.RequestHandler, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        timer = asyncio.get_running_loop().call_later(LIFETIME_S, transport.abort)
        self._open[handler] = transport, timer
        if len(self._open) > MAX_CONNECTIONS:
            self._close_oldest()

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        self._forget(handler)
        super().connection_lost(handler, exc)

    def _close_oldest(self) -> None:
        oldest = next(iter(self._open))
        transport, _ = self._open[oldest]
        self._forget(oldest)
        transport.abort()

    def _forget(self, handler: web.RequestHandler) -> None:
        _, timer = self._open.pop(handler, (None, None))
        if timer is not None:
            timer.cancel()
