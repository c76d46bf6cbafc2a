"""The shards of this installation: connector and slot of each, and whether they fit together."""

import time
from datetime import UTC, datetime

from cdc import connector, topics
from cdc.slot import Slot, read_slot
from cdc.slot.backlog import Backlog, backlog
from cdc.slot.health import Diagnosis, diagnose
from cdc.slot.obstacles import Obstacle, obstacles
from infra.deployment import Deployment, Shard
from infra.errors import TailraceError
from infra.patience import Patience
from infra.services import CAPTURE

LOOK_EVERY_S = 0.25
CONNECTOR_TIMEOUT_S = 60.0
"""As `Patience` counts them."""
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # before any row was written


class LostSlotError(TailraceError):
    """The connector must not go on before its slot is recovered."""


def connector_settings(deployment: Deployment, shard: Shard) -> connector.ConnectorSettings:
    """The connector of a shard; its password stays where Connect reads it."""
    connect, capture = deployment.require_connect(), shard.capture
    return connector.ConnectorSettings(
        name=shard.connector,
        host=capture.connect_host or capture.database.host,
        port=capture.connect_port or capture.database.port,
        database=capture.database.name,
        user=CAPTURE,
        password=capture.connect_password or connect.password,
        publication=shard.publication,
        slot=shard.slot,
        prefix=shard.prefix,
        profile=connect.profile,
    )


def rendered(deployment: Deployment, shard: Shard) -> dict[str, str]:
    """Return the configuration of a shard's connector; it refers to secrets and holds none."""
    return connector.render(connector_settings(deployment, shard))


def outbox_urls(deployment: Deployment) -> dict[str, str]:
    """Return outbox -> libpq URL of the role that may read it, of all databases."""
    return {name: url for each in deployment.captures for name, url in each.outbox_urls().items()}


def slot(shard: Shard) -> Slot | None:
    return read_slot(shard.capture.url(CAPTURE), shard.slot)


def has_passed(shard: Shard, lsn: str) -> bool:
    """Tell whether all that was written before a place in the WAL is in Kafka, as far as the slot knows."""
    held = slot(shard)
    return held is not None and held.has_confirmed(lsn)


def examine(deployment: Deployment, shard: Shard) -> Diagnosis:
    url, name = deployment.connect_url, shard.connector
    state = connector.status(url, name)
    position = None if state.connector == "ABSENT" else connector.read_position(url, name)
    # read last: the position is stored first, and then the slot follows
    return diagnose(shard.slot, slot(shard), state, position)


def unpublished(deployment: Deployment, shard: Shard, patience_s: float) -> Backlog | None:
    """Return what outboxes hold for a connector that is not in Kafka; None when it has not stored a position yet."""
    urls = shard.capture.outbox_urls().values()
    until = datetime.now(UTC)
    deadline = time.monotonic() + patience_s
    while True:
        position = connector.read_position(deployment.connect_url, shard.connector)
        if position is None or position.committed_at is None:
            return None
        found = backlog(urls, position.committed_at, until, shard.keys)
        if not found.rows or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_EVERY_S)


def in_the_way(deployment: Deployment, shard: Shard) -> list[Obstacle]:
    """Return the rows that the connector cannot get past; any row counts as long as it has not stored a position."""
    if connector.show(deployment.connect_url, shard.connector) is None:
        return []
    position = connector.read_position(deployment.connect_url, shard.connector)
    since = (position and position.committed_at) or BEGINNING
    known = topics.names(deployment.kafka_bootstrap)
    return obstacles(shard.capture.outbox_urls().values(), since, known, shard.keys)


def require_slot(deployment: Deployment, shard: Shard) -> None:
    """Refuse to go on with a slot that rows would be lost with.

    The connector itself refuses a slot that is gone. It does not refuse one that was moved past rows which it never
    read.
    """
    diagnosis = examine(deployment, shard)
    if diagnosis.ailment is not None:
        raise LostSlotError(
            f"The connector {shard.connector} was not started, because rows would be lost: {diagnosis.told}. "
            "Run `tailrace connector recover`."
        )


def apply_connector(deployment: Deployment, shard: Shard) -> str:
    """Apply a shard's connector and wait until its task runs; return what applying did."""
    require_slot(deployment, shard)
    config = rendered(deployment, shard)
    done = connector.apply(deployment.connect_url, shard.connector, config)
    connector.wait_until_running(
        deployment.connect_url, shard.connector, CONNECTOR_TIMEOUT_S, Patience().look
    )
    return str(done)
