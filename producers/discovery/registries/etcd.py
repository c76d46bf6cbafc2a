"""etcd: instances as keys with a lease, by its JSON gateway (v3), and what changes by a watch.

`etcd://127.0.0.1:2379/orders` is watched, `etcd://127.0.0.1:2379` is registered at. The key of an instance is
`/services/orders/<host>:<port>`, its value the same in JSON with its weight.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Annotated, Any
from urllib.parse import SplitResult

import httpx2
from pydantic import Field

from cdc.logs import FieldLogger
from producers.discovery.instances import Instance, SourceError
from producers.discovery.registries.client import (
    RegistryClient,
    document,
    open_registry,
    read_secret,
    refused,
)
from producers.discovery.registries.keeping import RENEWALS, Keeping
from producers.discovery.registries.reading import instance_of
from producers.discovery.registries.registry_url import (
    Options,
    RegistryAddress,
    SecretFile,
)

PORT = 2379
AUTHENTICATE = "/v3/auth/authenticate"

log = FieldLogger(__name__)


class EtcdOptions(Options):
    """What may be said of etcd."""

    user: str = ""
    password_file: SecretFile | None = None
    prefix: Annotated[str, Field(min_length=1)] = "/services"


class SourceOptions(EtcdOptions):
    """What may be said of an address that is watched."""

    # a watch that says nothing for so long is begun anew: who waits cannot tell silence from a broken line
    watch_s: Annotated[float, Field(ge=0.1, le=3600)] = 60.0


class RegistrarOptions(EtcdOptions):
    """What may be said of an address that is registered at."""

    # how long an instance is believed that says nothing; etcd itself takes no less than 2
    ttl_s: Annotated[int, Field(ge=2, le=86_400)] = 15


class EtcdSource:
    """Watches the keys of one service.

    Args:
        url: `etcd://host:port/<service>`.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, url: SplitResult) -> None:
        self._address = RegistryAddress.read(url, default_port=PORT)
        self._options = self._address.options(SourceOptions)
        folder = f"{self._options.prefix}/{self._address.service}/".encode()
        # the first key that does not begin with it
        self._range = {"key": _b64(folder), "range_end": _b64(folder[:-1] + b"0")}

    async def watch(self) -> AsyncIterator[frozenset[Instance]]:
        async with _open(self._address, self._options) as etcd:
            while True:
                async with aclosing(self._follow(etcd)) as looks:
                    async for found in looks:
                        yield found

    async def _follow(self, etcd: RegistryClient) -> AsyncGenerator[frozenset[Instance], None]:
        """Read all, then what changes; end when all is to be read anew."""
        known, revision = await self._read(etcd)
        yield _all(known)
        request = {"create_request": {**self._range, "start_revision": str(revision + 1)}}
        try:
            async with etcd.stream(
                "/v3/watch", body=request, silent_s=self._options.watch_s
            ) as lines:
                async for line in lines:
                    result = self._result(line)
                    if result.get("canceled"):
                        if "compact_revision" in result:
                            return
                        reason = result.get("cancel_reason", "for no reason that it tells")
                        raise SourceError(f"{self._address.name} ends the watch: {reason}")
                    _apply(known, result.get("events", ()))
                    yield _all(known)
        except TimeoutError:
            return
        raise SourceError(f"{self._address.name} has ended the watch")

    async def _read(self, etcd: RegistryClient) -> tuple[dict[str, Instance | None], int]:
        """Return the keys as they are, and the revision at which they are so."""
        answer = await etcd.ask("POST", "/v3/kv/range", body=self._range)
        read = document(self._address.name, answer)
        try:
            known = {pair["key"]: _instance(pair) for pair in read.get("kvs", ())}
            return known, int(read["header"]["revision"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            told = f"{self._address.name} answers in a form of its own ({error!r}): is it etcd?"
            raise SourceError(told) from error

    def _result(self, line: str) -> dict[str, Any]:
        try:
            said = json.loads(line)
            result: dict[str, Any] = said["result"]
        except (ValueError, KeyError, TypeError) as error:
            told = " ".join(line.split())[:200]
            raise SourceError(f"{self._address.name} breaks off the watch: {told}") from error
        return result


def _instance(pair: Mapping[str, str]) -> Instance | None:
    """Return the instance that a key stands for; None for a key of somebody else's."""
    try:
        said = json.loads(b64decode(pair["value"]))
        return instance_of(said["host"], said["port"], said.get("weight", 1))
    except (KeyError, TypeError, ValueError, AttributeError):
        log.warning("key is no instance", key=b64decode(pair["key"]).decode(errors="replace"))
        return None


def _apply(known: dict[str, Instance | None], events: Iterable[Any]) -> None:
    for event in events:
        pair = event["kv"]
        if event.get("type") == "DELETE":
            known.pop(pair["key"], None)
        else:
            known[pair["key"]] = _instance(pair)


def _all(known: Mapping[str, Instance | None]) -> frozenset[Instance]:
    return frozenset(each for each in known.values() if each is not None)


class EtcdEntry:
    """One instance: a key that goes with its lease."""

    def __init__(
        self, etcd: RegistryClient, options: RegistrarOptions, service: str, instance: Instance
    ) -> None:
        self._etcd = etcd
        self._ttl_s = options.ttl_s
        self._lease = ""
        self._key = _b64(f"{options.prefix}/{service}/{instance}".encode())
        value = {"host": instance.host, "port": instance.port, "weight": instance.weight}
        self._value = _b64(json.dumps(value).encode())

    async def register(self) -> None:
        granted = await self._ask("lease/grant", {"TTL": str(self._ttl_s)})
        self._lease = granted["ID"]
        await self._ask("kv/put", {"key": self._key, "value": self._value, "lease": self._lease})

    async def renew(self) -> bool:
        kept = await self._ask("lease/keepalive", {"ID": self._lease})
        return int(kept["result"].get("TTL", 0)) > 0  # one that it does not know has none

    async def deregister(self) -> None:
        if self._lease:
            answer = await self._etcd.ask("POST", "/v3/lease/revoke", body={"ID": self._lease})
            if not answer.is_success and answer.status_code != httpx2.codes.NOT_FOUND:
                raise refused("etcd", answer)

    async def _ask(self, what: str, body: Mapping[str, str]) -> Any:
        return document("etcd", await self._etcd.ask("POST", f"/v3/{what}", body=body))


class EtcdRegistrar(Keeping):
    """Registers at etcd.

    Args:
        url: `etcd://host:port`.

    Raises:
        ValueError: it is none.
    """

    def __init__(self, url: SplitResult) -> None:
        self._address = RegistryAddress.read(url, default_port=PORT)
        self._options = self._address.options(RegistrarOptions)
        if self._address.path:
            raise ValueError("must name no service: etcd://host:port")
        super().__init__(self._address.name, every_s=self._options.ttl_s / RENEWALS)

    def open(self) -> AbstractAsyncContextManager[RegistryClient]:
        return _open(self._address, self._options)

    def entry(self, client: RegistryClient, service: str, instance: Instance) -> EtcdEntry:
        return EtcdEntry(client, self._options, service, instance)


class _Token(httpx2.Auth):
    """Logs in where a password is given, and again when etcd does not know the token any more."""

    def __init__(self, options: EtcdOptions) -> None:
        self._user = options.user
        self._file = options.password_file
        self._token = ""

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        if self._file is None:
            yield request
            return
        for _ in range(2):
            if not self._token:
                url = request.url.copy_with(path=AUTHENTICATE, query=None)
                asked = {"name": self._user, "password": read_secret(self._file)}
                said = yield httpx2.Request(
                    "POST", url, json=asked, extensions=dict(request.extensions)
                )
                await said.aread()
                self._token = document("etcd", said)["token"]
            request.headers["authorization"] = self._token
            response = yield request
            if response.status_code != httpx2.codes.UNAUTHORIZED:
                return
            self._token = ""


def _open(
    address: RegistryAddress, options: EtcdOptions
) -> AbstractAsyncContextManager[RegistryClient]:
    return open_registry(address, options, auth=_Token(options))


def _b64(data: bytes) -> str:
    return b64encode(data).decode()
