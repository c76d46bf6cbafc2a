"""How often each client may call: a rate with a burst of its size, counted in this process."""

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from itertools import islice
from typing import Self

MOST_CLIENTS = 10_000
"""Clients that are counted at once; beyond them those that were counted first may begin anew."""
POLICY = "client"
IPV6_NETWORK_BITS = 64
"""What one subscriber has of IPv6: counting addresses would count nobody."""

_RATE = re.compile(r"([1-9][0-9]{0,8})/(s|min|h)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rate such as `100/s`, `600/min` or `5000/h`.

        Raises:
            ValueError: it is none.
        """
        found = _RATE.fullmatch(text)
        if found is None:
            raise ValueError(
                "a rate is a number of requests in a second, minute or hour: 100/s, 600/min or 5000/h"
            )
        return cls(int(found[1]), _SECONDS[found[2]])

    def shared_by(self, processes: int) -> Self:
        """Return what one of several processes may let through, so that all of them keep to the rate."""
        return type(self)(max(1, self.requests // processes), self.seconds)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request.

    Args:
        rate: What it was held against.
        remaining: Requests that may follow at once.
        full_in_s: Seconds until as many may follow as ever.
        wait_s: Seconds until one may follow; None if this one may.
    """

    rate: Rate
    remaining: int
    full_in_s: float
    wait_s: float | None = None

    def headers(self) -> Mapping[str, str]:
        """Return how clients are told (draft-ietf-httpapi-ratelimit-headers)."""
        policy = f'"{POLICY}";q={self.rate.requests};w={self.rate.seconds}'
        left = f'"{POLICY}";r={self.remaining};t={math.ceil(self.full_in_s)}'
        return {"ratelimit-policy": policy, "ratelimit": left}


class RateLimit:
    """Counts requests by the generic cell rate algorithm, which keeps one number for each client.

    The number is the moment at which the client will have all of its requests again. Each request moves it on by the
    time in which one comes back, and none may move it further ahead than the time of all.

    Args:
        rate: What each client may.
        clock: Tells the time since some moment, in seconds.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.refused = 0
        self._step_s = rate.seconds / rate.requests
        self._clock = clock
        self._full_at: dict[str, float] = {}

    def take(self, client: str) -> Taken:
        """Count a request of a client, if it may have one."""
        now = self._clock()
        full_at = max(self._full_at.get(client, now), now) + self._step_s
        ahead_s = full_at - now
        # a millionth of a step, so that sums of steps may be a little off
        if ahead_s > self.rate.seconds + self._step_s * 1e-6:
            self.refused += 1
            return Taken(self.rate, 0, ahead_s - self._step_s, wait_s=ahead_s - self.rate.seconds)
        if client not in self._full_at and len(self._full_at) >= MOST_CLIENTS:
            self._make_room(now)
        self._full_at[client] = full_at
        remaining = math.floor((self.rate.seconds - ahead_s) / self._step_s + 1e-6)
        return Taken(self.rate, remaining, ahead_s)

    def _make_room(self, now: float) -> None:
        """Forget who has all requests again; where that are few, the older half, so that it is not done each time."""
        counted = {client: at for client, at in self._full_at.items() if at > now}
        if len(counted) > MOST_CLIENTS // 2:
            counted = dict(islice(counted.items(), len(counted) // 2, None))
        self._full_at = counted


def network_of(address: str) -> str:
    """Return what of a client's address is counted: all of it, or the network of one subscriber."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
