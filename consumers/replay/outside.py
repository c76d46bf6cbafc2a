"""The world outside of a sandbox: stand-ins that note what they are asked for, and a wall around everything else.

A party that a bootstrap gets through `Outside` does not exist in a sandbox, only its stand-in. A handler that calls
somebody without it, by a library of its own, runs into the wall: in the process of a replay, Python connects to nobody
and starts nothing while handlers are at work. Postgres and Kafka are spoken to by libraries in C, beside the wall.
"""

import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from consumers.runtime.outside import Note

CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
STARTS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"})
"""Events of PEP 578."""

T = TypeVar("T")

Address = tuple[str, int]


class OutsideCallError(RuntimeError):
    """A handler has called somebody outside of the sandbox without a stand-in."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What would have been done outside."""

    party: str
    action: str
    key: str
    details: Mapping[str, object]


noted: ContextVar[list[Effect] | None] = ContextVar("noted", default=None)
"""Effects of the transaction that is open in this task."""


class CapturedOutside:
    """Hands out stand-ins only."""

    def party(self, name: str, real: Callable[[], T], stand_in: Callable[[Note], T]) -> T:
        """Return the stand-in of a party; what it notes is kept with the transaction in which it was asked."""
        return stand_in(partial(_note, name))


def _note(party: str, action: str, key: str, details: Mapping[str, object]) -> None:
    effects = noted.get()
    if effects is None:
        raise OutsideCallError(
            f"the {party} was asked for {action} outside of a handler's transaction"
        )
    effects.append(Effect(party, action, key, details))


class _Wall:
    """Whether the wall stands, and who may be spoken to through it. An audit hook cannot be taken away, only idle."""

    def __init__(self) -> None:
        self.admitted: frozenset[Address] | None = None
        self._is_built = False

    def build(self) -> None:
        if not self._is_built:
            sys.addaudithook(self._see)
            self._is_built = True

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.admitted is None:
            return
        if event in CONNECTS:
            address = arguments[1]
            if not isinstance(address, tuple) or tuple(address[:2]) not in self.admitted:
                raise OutsideCallError(
                    f"a handler connects to {address} in a replay; get the party through `Outside` in the bootstrap, "
                    "so that it has a stand-in here"
                )
        elif event in STARTS:
            raise OutsideCallError(
                "a handler starts a program in a replay; get the party through `Outside` in the bootstrap, so that "
                "it has a stand-in here"
            )


_wall = _Wall()


@contextmanager
def no_network(*admitted_urls: str) -> Iterator[None]:
    """Let this process speak to nobody by Python's sockets until the block ends."""
    _wall.build()
    _wall.admitted = frozenset(address for url in admitted_urls for address in _addresses_of(url))
    try:
        yield
    finally:
        _wall.admitted = None


def _addresses_of(url: str) -> Iterator[Address]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    for *_, address in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM):
        yield str(address[0]), int(address[1])
