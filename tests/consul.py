"""The endpoints of Consul that we use, after its documentation, as a server of our own: the real one cannot be had.

It keeps services with TTL checks, blocks queries until their index is passed, and counts what it is asked.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.hops import served

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0}


class Consul:
    """One agent.

    Args:
        token: What its ACL wants to see, if anything.
    """

    def __init__(self, *, token: str = "") -> None:
        self.services: dict[str, dict[str, Any]] = {}
        self.passing_until: dict[str, float] = {}
        self.index = 10
        self.queries: list[dict[str, str]] = []
        self.token = token
        self.is_broken = False
        self.knows_only_500 = (
            False  # as agents before 1.11 answer for a check that they do not know
        )
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Serve while the block runs; it is given host:port."""
        async with served(Starlette(routes=self._routes())) as url:
            yield url.removeprefix("http://")
            self.forget()

    def change(self, index: int | None = None) -> None:
        """Move the index, be it for somebody else's service or back, as when Consul is made anew."""
        self.index = self.index + 1 if index is None else index
        self._changed.set()
        self._changed = asyncio.Event()

    def forget(self) -> None:
        """Lose all that is registered."""
        self.services.clear()
        self.passing_until.clear()
        self.change()

    def _routes(self) -> list[Route]:
        agent = "/v1/agent"
        return [
            Route("/v1/health/service/{name}", self._guarded(self._health)),
            Route(f"{agent}/service/register", self._guarded(self._register), methods=["PUT"]),
            Route(
                f"{agent}/service/deregister/{{id}}",
                self._guarded(self._deregister),
                methods=["PUT"],
            ),
            Route(f"{agent}/service/{{id}}", self._guarded(self._service)),
            Route(f"{agent}/check/pass/{{id}}", self._guarded(self._pass), methods=["PUT"]),
        ]

    def _guarded(self, endpoint: Any) -> Any:
        async def guarded(request: Request) -> Response:
            if self.is_broken:
                return PlainTextResponse("No cluster leader", 500)
            if self.token and request.headers.get("x-consul-token") != self.token:
                return PlainTextResponse("Permission denied", 403)
            response: Response = await endpoint(request)
            return response

        return guarded

    async def _register(self, request: Request) -> Response:
        body = await request.json()
        self.services[body["ID"]] = body
        self._passes(body["ID"])
        self.change()
        return Response()

    async def _deregister(self, request: Request) -> Response:
        if self.services.pop(request.path_params["id"], None) is None:
            return PlainTextResponse("Unknown service ID", 404)
        self.change()
        return Response()

    async def _service(self, request: Request) -> Response:
        found = self.services.get(request.path_params["id"])
        if found is None:
            return PlainTextResponse("unknown service ID", 404)
        return JSONResponse({"ID": found["ID"], "Service": found["Name"]})

    async def _pass(self, request: Request) -> Response:
        service = request.path_params["id"].removeprefix("service:")
        if "TTL" not in self.services.get(service, {}).get("Check", {}):
            status = 500 if self.knows_only_500 else 404
            return PlainTextResponse("Unknown check ID", status)
        self._passes(service)
        return Response()

    def _passes(self, service: str) -> None:
        ttl = self.services[service]["Check"].get("TTL", "60m")
        until = time.monotonic() + seconds(ttl)
        if self.passing_until.get(service, 0) <= time.monotonic():
            self.change()
        self.passing_until[service] = until
        asyncio.get_running_loop().call_at(until, self._expire, service)

    def _expire(self, service: str) -> None:
        if service in self.services and self.passing_until[service] <= time.monotonic():
            self.change()

    async def _health(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.queries.append(query)
        wait_s = seconds(query.get("wait", "5m"))
        if "index" in query and int(query["index"]) >= self.index:
            try:
                async with asyncio.timeout(wait_s * (1 + 1 / 16)):
                    await self._changed.wait()
            except TimeoutError:
                pass
        name, now = request.path_params["name"], time.monotonic()
        found = [
            {
                "Node": {"Node": "here", "Address": "127.0.0.1"},
                "Service": {
                    "ID": each["ID"],
                    "Service": name,
                    "Address": each["Address"],
                    "Port": each["Port"],
                    "Weights": each["Weights"],
                },
                "Checks": [],
            }
            for each in self.services.values()
            if each["Name"] == name
            and (self.passing_until[each["ID"]] > now or query.get("passing") is None)
        ]
        return JSONResponse(found, headers={"x-consul-index": str(self.index)})


def seconds(duration: str) -> float:
    """Return what a duration of Go's says, such as `1500ms`."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", duration).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS_S[unit]
