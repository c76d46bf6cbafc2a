"""How far the consumers of this installation are behind: which there are, and where their positions are kept."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from cdc.database import SyncConnection
from consumers.runtime.lag import LagMeter, StoredPositions, TopicLag, settle
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.role_access import open_roles
from infra.services import CONSUMER_ROLES, WORKERS
from schemas.catalogue import catalogue


class Lags:
    """Measures how far consumers are behind; build it with `open_lags`."""

    def __init__(self, connections: Collection[SyncConnection], meter: LagMeter) -> None:
        self._connections = connections
        self._meter = meter

    def names(self) -> set[str]:
        """Return the names of all consumers: those of this code, and others that have left a position."""
        return {worker.name for worker in WORKERS} | {name for name, _ in self._read().topics()}

    def require_known(self, consumers: Collection[str]) -> None:
        known = self.names() if consumers else set()
        if unknown := sorted(set(consumers) - known):
            raise RequestError(
                f"No consumer is called {', '.join(unknown)}; there are {', '.join(sorted(known))}."
            )

    def measure(self, consumers: Collection[str] = ()) -> list[TopicLag]:
        kept = self._read()
        wanted = _declared() | kept.topics()
        return self._meter.measure(
            kept, {each for each in wanted if not consumers or each[0] in consumers}
        )

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Return how many offsets of each topic there have been; what comes on top later has flowed."""
        return self._meter.ends(topics)

    def settle(self, consumers: Collection[str]) -> None:
        """Note that somebody has looked into what consumers have lost."""
        for connection in self._connections:
            settle(connection, consumers)

    def _read(self) -> StoredPositions:
        return StoredPositions.read(self._connections)


@contextmanager
def open_lags(deployment: Deployment) -> Iterator[Lags]:
    with (
        open_roles(deployment, CONSUMER_ROLES) as connections,
        lags_in(deployment, connections.values()) as lags,
    ):
        yield lags


@contextmanager
def lags_in(deployment: Deployment, connections: Collection[SyncConnection]) -> Iterator[Lags]:
    """Give the lags of consumers whose schemas are open already."""
    meter = LagMeter(deployment.kafka_bootstrap)
    try:
        yield Lags(connections, meter)
    finally:
        meter.close()


def _declared() -> set[tuple[str, str]]:
    names = {worker.name for worker in WORKERS}
    return {
        (consumer, topic.name)
        for topic in catalogue().topics.values()
        for consumer in topic.takers
        if consumer in names
    }
