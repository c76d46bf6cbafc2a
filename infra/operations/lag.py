"""How far the consumers of this installation are behind: which there are, and where their positions are kept."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from consumers.runtime.lag import LagMeter, StoredPositions, TopicLag, settle
from infra.consumer_access import ConsumerSchema, open_schemas
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.services import WORKERS
from schemas.catalogue import catalogue


class Lags:
    """Measures how far consumers are behind; build it with `open_lags`."""

    def __init__(self, schemas: list[ConsumerSchema], meter: LagMeter) -> None:
        self._schemas = schemas
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
        for schema in self._schemas:
            settle(schema.connection, consumers)

    def _read(self) -> StoredPositions:
        return StoredPositions.read(schema.connection for schema in self._schemas)


@contextmanager
def open_lags(deployment: Deployment) -> Iterator[Lags]:
    with open_schemas(deployment) as schemas, lags_in(deployment, schemas) as lags:
        yield lags


@contextmanager
def lags_in(deployment: Deployment, schemas: list[ConsumerSchema]) -> Iterator[Lags]:
    """Give the lags of consumers whose schemas are open already."""
    meter = LagMeter(deployment.kafka_bootstrap)
    try:
        yield Lags(schemas, meter)
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
