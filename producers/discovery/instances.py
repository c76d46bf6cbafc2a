"""What discovery deals in: instances of a service, sources that tell of them, registrars that are told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, order=True)
class Instance:
    """An address that answers for a service.

    Args:
        host: Name or IP address.
        port: Port.
        weight: Its share of the calls, compared with the others; 1 or more, and 1 where a source does not weigh.
        priority: Those with a larger number are called only while none with a smaller one can be.
    """

    host: str
    port: int
    weight: int = 1
    priority: int = 0

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SourceError(Exception):
    """A source cannot be asked now; what it told before still stands. Says what happened and which source."""


class Source(Protocol):
    """Tells of the instances of one service that take calls."""

    def watch(self) -> AsyncIterator[frozenset[Instance]]:
        """Yield the instances, at once and again whenever they may have changed.

        A source waits between its looks by itself (blocking queries, a TTL, a watch). An empty set means that the
        source says there is none; what it cannot say is an error.

        Raises:
            SourceError: it cannot tell; the caller begins again after a pause.
        """
        ...
