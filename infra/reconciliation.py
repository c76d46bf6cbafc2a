"""Reconciliation in this installation: where the inboxes are, and who publishes."""

from collections.abc import Mapping, Sequence

from cdc.reconciliation import ConsumerPlace, Publisher
from cdc.relay.backlog import current_snapshot, is_published
from consumers.runtime.lag import StoredPositions
from infra.capture import examine, slot
from infra.deployment import Capture, Deployment, Shard
from infra.publishing import publisher_for
from infra.role_access import open_roles
from infra.services import CONSUMER_ROLES, RELAY, WORKERS
from schemas.catalogue import catalogue


def consumers_of(deployment: Deployment, topic: str) -> list[ConsumerPlace]:
    """Return the consumers that the catalogue declares of a topic, and that run here."""
    declared = catalogue().topics[topic].takers if topic in catalogue().topics else {}
    return [
        ConsumerPlace(
            name=worker.name, url=deployment.database_url(worker.role), types=declared[worker.name]
        )
        for worker in WORKERS
        if worker.role and worker.name in declared
    ]


def other_consumer(deployment: Deployment, name: str, topic: str) -> list[ConsumerPlace]:
    """Return where a consumer is at work on a topic that the catalogue does not know of, and takes every message."""
    with open_roles(deployment, CONSUMER_ROLES) as connections:
        return [
            ConsumerPlace(name=name, url=deployment.database_url(role), types=None)
            for role, connection in connections.items()
            if (name, topic) in StoredPositions.read([connection]).topics()
        ]


class Publishers:
    """Whoever publishes the outboxes of each database.

    Args:
        publishers: Outbox -> who publishes it.
    """

    def __init__(self, publishers: Mapping[str, "SlotPublishers | RelayPublisher"]) -> None:
        self._publishers = publishers

    def has_passed(self, wal_ends: Mapping[str, str]) -> bool:
        """Tell whether nothing that was committed before these ends of the WAL will still be published."""
        last = {id(self._publishers[outbox]): outbox for outbox in wal_ends}
        return all(
            self._publishers[outbox].has_passed(wal_ends[outbox]) for outbox in last.values()
        )


def publisher_of(deployment: Deployment) -> Publisher:
    publishers: dict[str, SlotPublishers | RelayPublisher] = {}
    for capture in deployment.captures:
        publishers |= dict.fromkeys(capture.outbox_labels, _publisher(deployment, capture))
    return Publishers(publishers)


def _publisher(deployment: Deployment, capture: Capture) -> "SlotPublishers | RelayPublisher":
    if publisher_for(capture) == "relay":
        return RelayPublisher(capture.url(RELAY))
    return SlotPublishers([SlotPublisher(deployment, each) for each in capture.shards])


class SlotPublishers:
    """The connectors of a database, each with some of the keys."""

    def __init__(self, publishers: Sequence["SlotPublisher"]) -> None:
        self._publishers = publishers

    def has_passed(self, wal_end: str) -> bool:
        """Tell whether none of them will still publish what was committed before this end of the WAL."""
        return all(each.has_passed(wal_end) for each in self._publishers)


class SlotPublisher:
    """A connector, which has published what its slot has confirmed."""

    def __init__(self, deployment: Deployment, shard: Shard) -> None:
        self._deployment = deployment
        self._shard = shard
        self._is_broken: bool | None = None

    def has_passed(self, wal_end: str) -> bool:
        """Tell whether nothing that was committed before this end of the WAL will still be published."""
        if self._is_broken is None:
            self._is_broken = examine(self._deployment, self._shard).ailment is not None
        if self._is_broken:
            return True
        held = slot(self._shard)
        if held is None or held.is_lost:
            return True
        return held.has_confirmed(wal_end)


class RelayPublisher:
    """The relay, which has published what its snapshots have seen."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._snapshots: dict[str, str] = {}

    def has_passed(self, wal_end: str) -> bool:
        """Tell whether everything that was committed before this end of the WAL is published."""
        if wal_end not in self._snapshots:
            # one taken now sees all of that, and perhaps a little more
            self._snapshots[wal_end] = current_snapshot(self._database_url)
        return is_published(self._database_url, self._snapshots[wal_end])
