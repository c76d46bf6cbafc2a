"""Where a service is said to be, as a URL: one address, some, or where to ask for them."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator

from producers.discovery.instances import Instance, Source, SourceError

SOURCES = {
    "dns": "producers.discovery.dns:addresses_of",
    "dns+srv": "producers.discovery.dns:services_of",
    "consul": "producers.discovery.registries.consul:ConsulSource",
    "etcd": "producers.discovery.registries.etcd:EtcdSource",
    "eureka": "producers.discovery.registries.eureka:EurekaSource",
}
"""What is asked for instances, by scheme: a function that takes the URL and returns a source, imported when needed.

It raises ValueError when the URL makes no sense, with what it must be.
"""

HTTP = {"http": 80, "https": 443}
STATIC = "static"

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_BLANK = re.compile(r"\s")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service is.

    Args:
        url: As it was said.
        is_secure: Whether calls go over TLS.
        path: What stands before the path of each request, without a slash at its end.
        instances: Those that it names itself.
        source: What tells of them, where it names none.
    """

    url: str
    is_secure: bool = False
    path: str = ""
    instances: frozenset[Instance] = frozenset()
    source: Callable[[], Source] | None = None


def read(url: str) -> Address:
    """Return what a URL says.

    Raises:
        ValueError: it makes no sense; says what it must be.
    """
    parts = _split(url)
    if parts.scheme in HTTP:
        is_secure, path = parts.scheme == "https", parts.path.rstrip("/")
        return Address(url, is_secure, path, instances=frozenset({_single(parts)}))
    if parts.scheme == STATIC:
        return Address(url, instances=_listed(parts))
    if parts.scheme in SOURCES:
        module, _, name = SOURCES[parts.scheme].partition(":")
        make: Callable[[SplitResult], Source] = getattr(import_module(module), name)
        make(parts)  # complains now, and not when somebody calls
        return Address(url, source=lambda: make(parts))
    known = ", ".join(f"{each}://" for each in (*HTTP, STATIC, *SOURCES))
    raise ValueError(f"must be a URL that begins with one of {known}")


async def look_up(address: Address, *, timeout_s: float) -> frozenset[Instance]:
    """Return the instances that there are now.

    Raises:
        SourceError: who is to tell of them does not.
    """
    if address.source is None:
        return address.instances
    try:
        async with asyncio.timeout(timeout_s):
            async for found in address.source().watch():
                return found
    except TimeoutError:
        pass
    raise SourceError(f"nothing is said of {address.url} within {timeout_s:g} s")


def host_and_port(authority: str) -> tuple[str, int]:
    """Return what `host:port` or `[IPv6]:port` says.

    Raises:
        ValueError: it says something else.
    """
    host, _, port = authority.rpartition(":")
    if not _HOST.fullmatch(host) or not _PORT.fullmatch(port) or not 0 < int(port) <= 0xFFFF:
        raise ValueError("must name host:port")
    return host.strip("[]"), int(port)


def options_of(parts: SplitResult, *known: str) -> Mapping[str, str]:
    """Return the options that stand behind the question mark of a URL.

    Raises:
        ValueError: there is one that is not known, or one twice.
    """
    said = parse_qsl(parts.query, keep_blank_values=True)
    if {name for name, _ in said} - {*known}:
        knows = f"knows {', '.join(known)}" if known else "knows none"
        raise ValueError(f"has an option that there is not; {parts.scheme}:// {knows}")
    if len(dict(said)) < len(said):
        raise ValueError("must have each option only once")
    return dict(said)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("must be a URL such as http://host:port") from None
    if "@" in parts.netloc:
        raise ValueError("must hold no credentials")
    if parts.fragment:
        raise ValueError("must have no #fragment")
    return parts


def _single(parts: SplitResult) -> Instance:
    try:
        host, port = parts.hostname, parts.port  # which are read only when they are asked for
    except ValueError:
        host = port = None
    if not host or port == 0 or parts.query or _BLANK.search(parts.geturl()):
        raise ValueError("must be http://host:port, or https://host:port with TLS")
    return Instance(host, port or HTTP[parts.scheme])


def _listed(parts: SplitResult) -> frozenset[Instance]:
    if parts.path not in {"", "/"} or parts.query:
        raise ValueError("must be static://host:port,host:port, with nothing behind it")
    listed = [Instance(*host_and_port(each)) for each in parts.netloc.split(",")]
    if len(set(listed)) < len(listed):
        raise ValueError("must name each address only once")
    return frozenset(listed)


def _service_url(url: str) -> str:
    read(url)
    return url


ServiceUrl = Annotated[str, AfterValidator(_service_url)]
"""Setting that says where a service is."""
