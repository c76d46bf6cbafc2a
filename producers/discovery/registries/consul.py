"""Consul: instances by blocking queries, and registration at an agent with a check.

`consul://127.0.0.1:8500/orders` is watched; `consul://127.0.0.1:8500` is registered at.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, quote

import httpx2
from pydantic import Field

from producers.discovery.instances import Instance, SourceError
from producers.discovery.registries.client import (
    RegistryClient,
    document,
    open_registry,
    read_secret,
    refused,
)
from producers.discovery.registries.keeping import RENEWALS, Keeping
from producers.discovery.registries.reading import instance_of, read_all
from producers.discovery.registries.registry_url import (
    Options,
    RegistryAddress,
    Seconds,
    SecretFile,
)

PORT = 8500
INDEX = "x-consul-index"
EXTRA = 1 / 16
"""Consul adds up to this share of the wait, so that not all who wait ask again at once."""
PAUSE_S = 0.2
"""Between the beginnings of two questions: the index moves for much that is no change of ours."""
FORGET_AFTER = "1m"
"""An instance that is gone for so long is deregistered by the agent; Consul takes no less."""


class ConsulOptions(Options):
    """What may be said of Consul."""

    token_file: SecretFile | None = None  # of its ACLs
    datacenter: str | None = None
    tag: str | None = None


class SourceOptions(ConsulOptions):
    """What may be said of an address that is watched."""

    # how long a question may wait for a change
    wait_s: Annotated[float, Field(ge=0.1, le=600)] = 60.0


class RegistrarOptions(ConsulOptions):
    """What may be said of an address that is registered at."""

    # how Consul knows that the instance lives: it says so itself, or the agent asks its `/health` or its gRPC health
    check: Literal["ttl", "http", "grpc"] = "ttl"
    # how long an instance is believed that says nothing; how often the agent asks it
    ttl_s: Seconds = 15.0
    interval_s: Seconds = 5.0


class ConsulSource:
    """Watches the instances of one service whose checks pass.

    Args:
        url: `consul://host:port/<service>`.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, url: SplitResult) -> None:
        self._address = RegistryAddress.read(url, default_port=PORT)
        self._options = self._address.options(SourceOptions)
        self._service = self._address.service

    async def watch(self) -> AsyncIterator[frozenset[Instance]]:
        index = 0
        async with _open(self._address, self._options) as consul:
            while True:
                began_s = time.monotonic()
                answer = await self._ask(consul, index)
                name = self._address.name
                found = read_all(name, _entries(name, answer), _instance)
                index = _next_index(index, answer.headers.get(INDEX))
                yield found
                await asyncio.sleep(began_s + PAUSE_S - time.monotonic())

    async def _ask(self, consul: RegistryClient, index: int) -> httpx2.Response:
        wait_s = self._options.wait_s
        params = {"passing": "true"}
        if self._options.datacenter:
            params["dc"] = self._options.datacenter
        if self._options.tag:
            params["tag"] = self._options.tag
        if index:
            params |= {"index": str(index), "wait": f"{wait_s * 1000:.0f}ms"}
        path = f"/v1/health/service/{quote(self._service, safe='')}"
        waited_s = wait_s * (1 + EXTRA) if index else 0
        return await consul.ask("GET", path, params=params, wait_s=waited_s)


def _next_index(index: int, said: str | None) -> int:
    """Return the index to wait for: 0 asks at once, as when it went back because Consul was made anew.

    Raises:
        SourceError: the answer has none, so that nobody can wait for the next one.
    """
    if said is None or not said.isdecimal():
        raise SourceError(f"the answer has no index in {INDEX}: is it Consul that answers?")
    # less than 1 would not wait, and be asked again and again
    found = max(int(said), 1)
    return 0 if found < index else found


def _entries(name: str, answer: httpx2.Response) -> list[Any]:
    found = document(name, answer)
    if not isinstance(found, list):
        raise SourceError(f"{name} answers with no list of instances: is it Consul that answers?")
    return found


def _instance(entry: Any) -> Instance:
    service = entry["Service"]
    host = service.get("Address") or entry["Node"]["Address"]
    return instance_of(host, service["Port"], (service.get("Weights") or {}).get("Passing", 1))


class ConsulEntry:
    """One instance, as an agent keeps it."""

    def __init__(
        self, consul: RegistryClient, options: RegistrarOptions, service: str, instance: Instance
    ) -> None:
        self._consul = consul
        self._options = options
        self._service = service
        self._instance = instance
        self._id = f"{service}-{instance.host}-{instance.port}"
        self._path = quote(self._id, safe="")

    async def register(self) -> None:
        body = {
            "ID": self._id,
            "Name": self._service,
            "Tags": [self._options.tag] if self._options.tag else [],
            "Address": self._instance.host,
            "Port": self._instance.port,
            "Weights": {"Passing": self._instance.weight, "Warning": 1},
            "Check": {**self._check(), "DeregisterCriticalServiceAfter": FORGET_AFTER},
        }
        _require_success(await self._ask("PUT", "register?replace-existing-checks=true", body))

    async def renew(self) -> bool:
        if self._options.check != "ttl":
            return await self._is_known()
        try:
            answer = await self._consul.ask("PUT", f"/v1/agent/check/pass/service:{self._path}")
        except SourceError:
            # older agents answer as if they had failed themselves when they do not know a check
            if await self._is_known():
                raise
            return False
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return False
        _require_success(answer)
        return True

    async def deregister(self) -> None:
        answer = await self._ask("PUT", f"deregister/{self._path}")
        if answer.status_code != httpx2.codes.NOT_FOUND:
            _require_success(answer)

    async def _is_known(self) -> bool:
        answer = await self._ask("GET", self._path)
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return False
        document("Consul", answer)
        return True

    async def _ask(self, method: str, path: str, body: object = None) -> httpx2.Response:
        return await self._consul.ask(method, f"/v1/agent/service/{path}", body=body)

    def _check(self) -> dict[str, object]:
        if self._options.check == "ttl":
            return {"TTL": _duration(self._options.ttl_s), "Status": "passing"}
        asked = (
            {"GRPC": str(self._instance)}
            if self._options.check == "grpc"
            else {"HTTP": f"http://{self._instance}/health"}
        )
        return {
            **asked,
            "Interval": _duration(self._options.interval_s),
            "Timeout": _duration(self._options.timeout_s),
        }


def _require_success(answer: httpx2.Response) -> None:
    if not answer.is_success:
        raise refused("Consul", answer)


class ConsulRegistrar(Keeping):
    """Registers at an agent.

    Args:
        url: `consul://host:port` of the agent that runs beside the service.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, url: SplitResult) -> None:
        self._address = RegistryAddress.read(url, default_port=PORT)
        self._options = self._address.options(RegistrarOptions)
        if self._address.path or len(self._address.servers) != 1:
            # at two agents an instance would be there twice
            raise ValueError("must name one agent and no service: consul://host:port")
        renewed_s = self._options.ttl_s / RENEWALS
        super().__init__(
            self._address.name,
            every_s=renewed_s if self._options.check == "ttl" else self._options.interval_s,
        )

    def open(self) -> AbstractAsyncContextManager[RegistryClient]:
        return _open(self._address, self._options)

    def entry(self, client: RegistryClient, service: str, instance: Instance) -> ConsulEntry:
        return ConsulEntry(client, self._options, service, instance)


class _Token(httpx2.Auth):
    """Sends a token, and reads it anew each time: it may be exchanged meanwhile."""

    def __init__(self, options: ConsulOptions) -> None:
        self._file = options.token_file

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        if self._file is not None:
            token = read_secret(self._file)
            if not token.isascii():
                raise SourceError(f"{self._file} must hold a token of Consul, which is ASCII")
            request.headers["x-consul-token"] = token
        yield request


def _open(
    address: RegistryAddress, options: ConsulOptions
) -> AbstractAsyncContextManager[RegistryClient]:
    return open_registry(address, options, auth=_Token(options))


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"
