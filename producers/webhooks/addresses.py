"""Where a webhook may go: one function judges a URL when it is registered and each time it is called.

It guards against server-side request forgery: a receiver that names, by whatever notation or DNS answer, a machine of
our own network. The ranges are those of the IANA registries for special purposes, with what `ipaddress` lets through.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

Address = IPv4Address | IPv6Address
Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Returns every address of a name."""

MAX_URL = 2048
MAX_NAME = 253
HTTPS_PORT = 443
RESOLVE_S = 5.0
"""How long the addresses of a name may take to be found, in seconds."""
LOOKUPS = 64
"""Names that are looked up at once, each in a thread of its own."""

_URL = re.compile(
    r"(?P<scheme>(?i:https?))://(?P<host>\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[!-\"$-\[\]-~]*)?(?:\?[!-\"$-\[\]-~]*)?)",
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 as networks of IPv6 alone see it: judged by the address inside (RFC 6052)."""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given to anybody (RFC 4291)."""
_REFUSED: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # the platform of Azure, seen from its machines
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # Teredo among others
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)


class RefusedUrlError(ValueError):
    """A URL may not be called; the text says why, and names no address of ours."""


async def by_system(name: str) -> Sequence[str]:
    """Return the addresses of a name as the machine finds them; a name with dots is taken as a whole one."""
    whole = f"{name}." if "." in name else name
    ask = partial(socket.getaddrinfo, whole, None, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_lookups(), ask)
    return [str(sockaddr[0]) for *_, sockaddr in found]


@cache
def _lookups() -> ThreadPoolExecutor:
    """Return threads of our own: names that nobody answers for hold them up, and no other call of the process."""
    return ThreadPoolExecutor(LOOKUPS, "lookup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be called.

    Args:
        ports: Ports at public addresses, by https.
        loopback: For development: this machine as well, by http and https at any port, when the URL itself says
            `localhost` or a loopback address.
        resolve: Finds the addresses of a name.
    """

    ports: frozenset[int] = frozenset({HTTPS_PORT})
    loopback: bool = False
    resolve: Resolve = by_system

    @classmethod
    def of(cls, receivers: Literal["public", "loopback"], ports: frozenset[int]) -> "Policy":
        """Return what settings let in."""
        return cls(ports=ports, loopback=receivers == "loopback")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A URL that may be called now, at these addresses and at no others."""

    scheme: str
    host: str  # in small letters; of IPv6 without brackets
    port: int
    target: str
    addresses: tuple[Address, ...]
    is_local: bool

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (HTTPS_PORT if self.scheme == "https" else 80)
        return host if is_default else f"{host}:{self.port}"

    def require_peer(self, address: str) -> None:
        """Refuse a connection that leads elsewhere.

        Raises:
            RefusedUrlError: the other end has not one of the addresses that were judged.
        """
        if ip_address(address) not in self.addresses:
            raise RefusedUrlError("the connection leads to another address than was asked for")


async def admit(url: str, policy: Policy) -> Admitted:
    """Judge a URL, with every address that its name has at this moment.

    Raises:
        RefusedUrlError: it may not be called, or its name has no address.
    """
    scheme, host, port, target = _parts(url)
    literal = _literal(host)
    is_local = policy.loopback and (host == "localhost" or bool(literal and literal.is_loopback))
    if not is_local:
        _require_public(scheme, host, port, policy, is_literal=literal is not None)
    addresses = (literal,) if literal else await _addresses(host, policy)
    if not all(each.is_loopback if is_local else is_public(each) for each in addresses):
        raise RefusedUrlError("it leads to an address that is not public")
    return Admitted(scheme, host, port, target or "/", addresses, is_local)


def is_public(address: Address) -> bool:
    """Tell whether anybody on the internet may have an address."""
    inner = getattr(address, "ipv4_mapped", None)
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(inner)
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not any(address in network for network in _REFUSED)


def _parts(url: str) -> tuple[str, str, int, str]:
    if len(url) > MAX_URL:
        raise RefusedUrlError(f"it is longer than {MAX_URL} characters")
    match = _URL.fullmatch(url)
    if not match:
        raise RefusedUrlError(
            "it is no plain URL such as https://example.com/hooks: in ASCII, names of other scripts in their form that "
            "begins with xn--, without user, password and fragment"
        )
    scheme, host, port, target = (
        match["scheme"].lower(),
        match["host"].lower(),
        match["port"],
        match["target"],
    )
    number = int(port) if port else (HTTPS_PORT if scheme == "https" else 80)
    if not 0 < number <= 0xFFFF:
        raise RefusedUrlError("it names a port that there is not")
    return scheme, host.strip("[]"), number, f"/{target}" if target.startswith("?") else target


def _literal(host: str) -> Address | None:
    """Return the address that a host is; None for a name.

    Raises:
        RefusedUrlError: it is neither, or a number that some resolvers take for an address.
    """
    labels = host.split(".")
    if ":" in host or _NUMBER.fullmatch(labels[-1]):
        try:
            return ip_address(host)
        except ValueError:
            raise RefusedUrlError("it has an address that is not in its usual form") from None
    if len(host) > MAX_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise RefusedUrlError("it has no host name such as DNS has them")
    return None


def _require_public(scheme: str, host: str, port: int, policy: Policy, *, is_literal: bool) -> None:
    if scheme != "https":
        raise RefusedUrlError("it is not https")
    if port not in policy.ports:
        allowed = ", ".join(map(str, sorted(policy.ports)))
        raise RefusedUrlError(f"port {port} is not allowed, only {allowed}")
    if not is_literal and "." not in host:
        raise RefusedUrlError("it names a machine by a name without a domain")


async def _addresses(host: str, policy: Policy) -> tuple[Address, ...]:
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await policy.resolve(host)
        addresses = tuple(dict.fromkeys(ip_address(each) for each in found))
    except (OSError, UnicodeError, ValueError):  # a timeout is an OSError
        addresses = ()
    if not addresses:
        raise RefusedUrlError("its name has no address at this moment")
    return addresses
