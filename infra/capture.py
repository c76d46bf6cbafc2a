"""The captures of this installation: connector and slot of each, and whether they fit together."""

import time
from datetime import UTC, datetime

from cdc import connector, topics
from cdc.slot import Slot, read_slot
from cdc.slot.backlog import Backlog, backlog
from cdc.slot.health import Diagnosis, diagnose
from cdc.slot.obstacles import Obstacle, obstacles
from infra.deployment import Capture, Deployment
from infra.errors import TailraceError
from infra.services import CAPTURE, PUBLICATION

LOOK_EVERY_S = 0.25
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # before any row was written


class LostSlotError(TailraceError):
    """The connector must not go on before its slot is recovered."""


def connector_settings(deployment: Deployment, capture: Capture) -> connector.ConnectorSettings:
    """The connector of a capture; its password stays where Connect reads it."""
    connect = deployment.require_connect()
    return connector.ConnectorSettings(
        name=capture.connector,
        host=capture.connect_host or capture.database.host,
        port=capture.connect_port or capture.database.port,
        database=capture.database.name,
        user=CAPTURE,
        password=capture.connect_password or connect.password,
        publication=PUBLICATION,
        slot=capture.slot,
        prefix=f"tailrace{capture.suffix}",
        profile=connect.profile,
    )


def rendered(deployment: Deployment, capture: Capture) -> dict[str, str]:
    """Return the configuration of a capture's connector; it refers to secrets and holds none."""
    return connector.render(connector_settings(deployment, capture))


def outbox_urls(deployment: Deployment) -> dict[str, str]:
    """Return outbox -> libpq URL of the role that may read it, of all databases."""
    return {name: url for each in deployment.captures for name, url in each.outbox_urls().items()}


def slot(capture: Capture) -> Slot | None:
    return read_slot(capture.url(CAPTURE), capture.slot)


def examine(deployment: Deployment, capture: Capture) -> Diagnosis:
    url, name = deployment.connect_url, capture.connector
    state = connector.status(url, name)
    position = None if state.connector == "ABSENT" else connector.read_position(url, name)
    # read last: the position is stored first, and then the slot follows
    return diagnose(capture.slot, slot(capture), state, position)


def unpublished(deployment: Deployment, capture: Capture, patience_s: float) -> Backlog | None:
    """Return what the outboxes hold that is not in Kafka; None when the connector has not stored a position yet."""
    until = datetime.now(UTC)
    deadline = time.monotonic() + patience_s
    while True:
        position = connector.read_position(deployment.connect_url, capture.connector)
        if position is None or position.committed_at is None:
            return None
        found = backlog(capture.outbox_urls().values(), position.committed_at, until)
        if not found.rows or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_EVERY_S)


def in_the_way(deployment: Deployment, capture: Capture) -> list[Obstacle]:
    """Return the rows that the connector cannot get past; any row counts as long as it has not stored a position."""
    if connector.show(deployment.connect_url, capture.connector) is None:
        return []
    position = connector.read_position(deployment.connect_url, capture.connector)
    since = (position and position.committed_at) or BEGINNING
    known = topics.names(deployment.kafka_bootstrap)
    return obstacles(capture.outbox_urls().values(), since, known)


def require_slot(deployment: Deployment, capture: Capture) -> None:
    """Refuse to go on with a slot that rows would be lost with.

    The connector itself refuses a slot that is gone. It does not refuse one that was moved past rows which it never
    read.
    """
    diagnosis = examine(deployment, capture)
    if diagnosis.ailment is not None:
        raise LostSlotError(
            f"The connector {capture.connector} was not started, because rows would be lost: {diagnosis.told}. "
            "Run `tailrace connector recover`."
        )
