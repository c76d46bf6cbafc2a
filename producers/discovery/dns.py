"""DNS as a source of instances: addresses of a name at a port, or the services that SRV records list.

Only the name server is asked, again when its answer expires. IPv6 is asked for where there is no IPv4: one process
under two addresses would count as two.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import SplitResult

from dns.asyncbackend import get_backend
from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.inet import is_address
from dns.name import from_text
from dns.rdatatype import AAAA, SRV, A, RdataType
from dns.resolver import NXDOMAIN, Answer, NoAnswer

from producers.discovery.instances import Instance, SourceError
from producers.discovery.service_url import host_and_port, options_of

LEAST_TTL_S = 1.0
MOST_TTL_S = 60.0
ABSENT_TTL_S = 5.0
"""When a name is looked up again that there is not."""
JITTER = 0.1
"""Share by which an answer is used longer than its TTL, so that many processes do not ask at once."""
TRY_S = 1.0
LOOKUP_S = 3.0
"""How long one server may take, and all of them together."""

Found = tuple[frozenset[Instance], float]
"""Instances, and for how many seconds they hold."""


@dataclass(frozen=True, slots=True)
class DnsSource:
    """Looks up again and again.

    Args:
        find: Looks up once, with this resolver.
        nameserver: Whom to ask; None for those of the machine.
    """

    find: Callable[[Resolver], Awaitable[Found]]
    nameserver: tuple[str, int] | None = None

    async def watch(self) -> AsyncIterator[frozenset[Instance]]:
        try:
            resolver = _resolver(self.nameserver)
            while True:
                found, ttl_s = await self.find(resolver)
                yield found
                await asyncio.sleep(held_s(ttl_s))
        except DNSException as error:
            raise SourceError(f"DNS says nothing: {error}") from error


def addresses_of(parts: SplitResult) -> DnsSource:
    """Return the source of `dns://name:port`."""
    name, port = host_and_port(parts.netloc)
    _require_name(name, parts)

    async def find(resolver: Resolver) -> Found:
        addresses, ttl_s = await _addresses(resolver, name)
        return frozenset(Instance(each, port) for each in addresses), ttl_s

    return DnsSource(find, _nameserver(parts))


def services_of(parts: SplitResult) -> DnsSource:
    """Return the source of `dns+srv://_service._tcp.name`."""
    name = parts.netloc
    if ":" in name:
        raise ValueError(
            "must be dns+srv://_service._tcp.name, without a port: SRV records have it"
        )
    _require_name(name, parts)

    async def find(resolver: Resolver) -> Found:
        answer = await _ask(resolver, name, SRV)
        # a dot alone says that the service is not offered
        records = [each for each in answer or () if len(each.target.labels) > 1]
        if answer is None or not records:
            return frozenset(), ABSENT_TTL_S
        found = await asyncio.gather(
            *(_addresses(resolver, each.target.to_text()) for each in records)
        )
        instances = {
            (address, record.port): Instance(
                address, record.port, weight=max(1, record.weight), priority=record.priority
            )
            for record, (addresses, _) in zip(records, found, strict=True)
            for address in addresses
        }
        return frozenset(instances.values()), min(_ttl_s(answer), *(ttl_s for _, ttl_s in found))

    return DnsSource(find, _nameserver(parts))


def held_s(ttl_s: float) -> float:
    """Return for how long to use an answer: its TTL within bounds, and a little longer at random."""
    bounded = min(MOST_TTL_S, max(LEAST_TTL_S, ttl_s))
    return bounded * random.uniform(1, 1 + JITTER)  # noqa: S311 - no secret


async def _addresses(resolver: Resolver, name: str) -> tuple[list[str], float]:
    for kind in (A, AAAA):
        if answer := await _ask(resolver, name, kind):
            return [each.address for each in answer], _ttl_s(answer)
    return [], ABSENT_TTL_S


async def _ask(resolver: Resolver, name: str, kind: RdataType) -> Answer | None:
    """Return the answer; None where there is no such name, or none with such records."""
    try:
        return await resolver.resolve(
            name, kind, search=True, backend=get_backend("asyncio"), lifetime=LOOKUP_S
        )
    except (NXDOMAIN, NoAnswer):
        return None


def _ttl_s(answer: Answer) -> float:
    return float(answer.chaining_result.minimum_ttl)  # that of aliases on the way included


def _resolver(nameserver: tuple[str, int] | None) -> Resolver:
    resolver = Resolver(configure=nameserver is None)
    resolver.timeout = TRY_S
    if nameserver is not None:
        address, resolver.port = nameserver
        resolver.nameservers = [address]
    return resolver


def _nameserver(parts: SplitResult) -> tuple[str, int] | None:
    said = options_of(parts, "nameserver").get("nameserver")
    if said is None:
        return None
    try:
        address, port = host_and_port(said)
        Resolver(configure=False).nameservers = [address]
    except ValueError:
        raise ValueError("must have an IP address and a port as its nameserver") from None
    return address, port


def _require_name(name: str, parts: SplitResult) -> None:
    if parts.path not in {"", "/"}:
        raise ValueError(f"must be {parts.scheme}://name, with no path behind it")
    try:
        from_text(name)
    except DNSException:
        name = ""
    if not name or is_address(name):
        raise ValueError("must have a name such as DNS has them")
