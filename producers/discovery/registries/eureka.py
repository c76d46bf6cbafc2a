"""Eureka: the instances of an application that are UP, fetched again and again, and registration with a lease.

`eureka://127.0.0.1:8761/orders` is watched, `eureka://127.0.0.1:8761` is registered at. Where a server does not answer
below `/eureka`, the folder is named as well: `eureka://127.0.0.1:8080/eureka/v2/orders`.
"""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Generator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any
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

PORT = 8761
FOLDER = ("eureka",)
SPREAD = 0.2
"""Share of a pause by which it varies, so that not all who watch come at once."""
SETTLED_AFTER = 2
"""Renewals after which a Eureka that was away knows everybody, its caches included."""
ACCEPT = {"accept": "application/json"}
WEIGHT = "weight"
"""Name under which we keep an instance's weight in its metadata; Eureka itself knows none."""


class EurekaOptions(Options):
    """What may be said of Eureka."""

    user: str = ""
    password_file: SecretFile | None = None
    # how often an instance is renewed
    renew_s: Seconds = 30.0


class SourceOptions(EurekaOptions):
    """What may be said of an address that is watched."""

    fetch_s: Annotated[float, Field(ge=0.1, le=3600)] = 30.0


class EurekaSource:
    """Watches the instances of one application that are UP.

    A Eureka that was started anew knows only who has renewed since. What it told before it was away is therefore kept
    beside what it tells, until everybody has had the time to.

    Args:
        url: `eureka://host:port/<service>`.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, url: SplitResult) -> None:
        self._address = RegistryAddress.read(url, default_port=PORT)
        self._options = self._address.options(SourceOptions)
        if not self._address.path:
            raise ValueError("must name a service: eureka://host:port/<service>")
        *folder, service = self._address.path
        self._path = _path(tuple(folder), service)
        self._last: frozenset[Instance] = frozenset()
        self._is_away = False
        self._settled_at_s = -math.inf

    async def watch(self) -> AsyncIterator[frozenset[Instance]]:
        async with _open(self._address, self._options) as eureka:
            while True:
                yield await self._look(eureka)
                pause_s = self._options.fetch_s * random.uniform(1 - SPREAD, 1)  # noqa: S311
                await asyncio.sleep(pause_s)

    async def _look(self, eureka: RegistryClient) -> frozenset[Instance]:
        try:
            found = await self._fetch(eureka)
        except SourceError:
            self._is_away = True
            raise
        now_s = time.monotonic()
        if self._is_away:
            self._is_away = False
            self._settled_at_s = now_s + SETTLED_AFTER * self._options.renew_s
        if now_s >= self._settled_at_s:
            self._last = found
        return found | self._last

    async def _fetch(self, eureka: RegistryClient) -> frozenset[Instance]:
        answer = await eureka.ask("GET", self._path, headers=ACCEPT)
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return frozenset()
        name = self._address.name
        return read_all(name, _entries(name, document(name, answer)), _instance)


def _entries(name: str, answer: Any) -> list[Any]:
    try:
        found = answer["application"]["instance"]
    except (KeyError, TypeError) as error:
        told = f"{name} answers in a form of its own ({error!r}): is it Eureka that answers?"
        raise SourceError(told) from error
    return found if isinstance(found, list) else [found]  # one alone is not always in a list


def _instance(entry: Any) -> Instance | None:
    if entry["status"] != "UP":
        return None
    weight = (entry.get("metadata") or {}).get(WEIGHT, 1)
    return instance_of(entry["hostName"], _port(entry), weight)


def _port(instance: Any) -> int:
    """Return the port of an instance; the one with TLS if it has no other."""
    plain = instance["port"]
    is_on = str(plain.get("@enabled", "true")).lower() == "true"
    return int((plain if is_on else instance["securePort"])["$"])


class EurekaEntry:
    """One instance, as Eureka keeps it."""

    def __init__(
        self, eureka: RegistryClient, address: "EurekaRegistrar", service: str, instance: Instance
    ) -> None:
        self._eureka = eureka
        self._renew_s = address.options.renew_s
        self._service = service
        self._instance = instance
        self._id = f"{instance.host}:{service}:{instance.port}"
        self._application = _path(address.folder, service)
        self._path = f"{self._application}/{quote(self._id, safe='')}"
        self._since = ""

    async def register(self) -> None:
        self._since = str(time.time_ns() // 1_000_000)
        body = {"instance": self._description()}
        answer = await self._eureka.ask("POST", self._application, headers=ACCEPT, body=body)
        if not answer.is_success:
            raise refused("Eureka", answer)

    async def renew(self) -> bool:
        # a server that has an older word of this instance does not know it, and is told again
        params = {"status": "UP", "lastDirtyTimestamp": self._since}
        return await self._is_known("PUT", params)

    async def deregister(self) -> None:
        await self._is_known("DELETE", {})

    async def _is_known(self, method: str, params: dict[str, str]) -> bool:
        answer = await self._eureka.ask(method, self._path, params=params, headers=ACCEPT)
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return False
        if not answer.is_success:
            raise refused("Eureka", answer)
        return True

    def _description(self) -> dict[str, object]:
        host, renew_s = self._instance.host, max(1, round(self._renew_s))
        return {
            "instanceId": self._id,
            "app": self._service.upper(),
            "vipAddress": self._service,
            "hostName": host,
            "ipAddr": host,
            "port": {"$": self._instance.port, "@enabled": "true"},
            "status": "UP",
            "healthCheckUrl": f"http://{self._instance}/health",
            "lastDirtyTimestamp": self._since,
            "leaseInfo": {"renewalIntervalInSecs": renew_s, "durationInSecs": RENEWALS * renew_s},
            "metadata": {WEIGHT: str(self._instance.weight)},
            "dataCenterInfo": {
                "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                "name": "MyOwn",
            },
        }


class EurekaRegistrar(Keeping):
    """Registers at Eureka.

    Args:
        url: `eureka://host:port`, with the folder that Eureka answers in if it is not `/eureka`.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, url: SplitResult) -> None:
        self._address = RegistryAddress.read(url, default_port=PORT)
        self.options = self._address.options(EurekaOptions)
        self.folder = self._address.path
        super().__init__(self._address.name, every_s=self.options.renew_s)

    def open(self) -> AbstractAsyncContextManager[RegistryClient]:
        return _open(self._address, self.options)

    def entry(self, client: RegistryClient, service: str, instance: Instance) -> EurekaEntry:
        return EurekaEntry(client, self, service, instance)


class _Basic(httpx2.Auth):
    """Basic authentication, with a password that is read anew each time: it may be exchanged meanwhile."""

    def __init__(self, options: EurekaOptions) -> None:
        self._user = options.user
        self._file = options.password_file

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        if self._file is None:
            yield request
        else:
            yield from httpx2.BasicAuth(self._user, read_secret(self._file)).auth_flow(request)


def _open(
    address: RegistryAddress, options: EurekaOptions
) -> AbstractAsyncContextManager[RegistryClient]:
    return open_registry(address, options, auth=_Basic(options))


def _path(folder: tuple[str, ...], service: str) -> str:
    """Where an application is; Eureka writes its name in capitals."""
    segments = (*(folder or FOLDER), "apps", service.upper())
    return "".join(f"/{quote(each, safe='')}" for each in segments)
