"""The capture of this installation: connector and slot, and whether they fit together."""

import time
from datetime import UTC, datetime

from cdc import connector, topics
from cdc.slot import Slot, read_slot
from cdc.slot.backlog import Backlog, backlog
from cdc.slot.health import Diagnosis, diagnose
from cdc.slot.obstacles import Obstacle, obstacles
from infra.deployment import Deployment
from infra.errors import TailraceError
from infra.services import CAPTURE, OUTBOXES, PUBLICATION

LOOK_EVERY_S = 0.25
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # before any row was written


class LostSlotError(TailraceError):
    """The connector must not go on before its slot is recovered."""


def connector_settings(deployment: Deployment) -> connector.ConnectorSettings:
    """The connector of this installation; its password stays where Connect reads it."""
    capture = deployment.require_capture()
    return connector.ConnectorSettings(
        host=capture.database_host,
        port=capture.database_port,
        database=deployment.database.name,
        user=CAPTURE,
        password=capture.password,
        publication=PUBLICATION,
        profile=capture.profile,
    )


def outbox_urls(deployment: Deployment) -> dict[str, str]:
    """Return schema -> libpq URL of the role that may read the outbox there."""
    return {schema: deployment.database_url(schema) for schema in OUTBOXES}


def slot(deployment: Deployment) -> Slot | None:
    return read_slot(deployment.database_url(CAPTURE), PUBLICATION)


def examine(deployment: Deployment) -> Diagnosis:
    url, name = deployment.connect_url, connector.NAME
    state = connector.status(url, name)
    position = None if state.connector == "ABSENT" else connector.read_position(url, name)
    # read last: the position is stored first, and then the slot follows
    return diagnose(connector_settings(deployment).slot, slot(deployment), state, position)


def unpublished(deployment: Deployment, patience_s: float) -> Backlog | None:
    """Return what the outboxes hold that is not in Kafka; None when the connector has not stored a position yet."""
    until = datetime.now(UTC)
    deadline = time.monotonic() + patience_s
    while True:
        position = connector.read_position(deployment.connect_url, connector.NAME)
        if position is None or position.committed_at is None:
            return None
        found = backlog(outbox_urls(deployment).values(), position.committed_at, until)
        if not found.rows or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_EVERY_S)


def in_the_way(deployment: Deployment) -> list[Obstacle]:
    """Return the rows that the connector cannot get past; any row counts as long as it has not stored a position."""
    if connector.show(deployment.connect_url, connector.NAME) is None:
        return []
    position = connector.read_position(deployment.connect_url, connector.NAME)
    since = (position and position.committed_at) or BEGINNING
    known = topics.names(deployment.kafka_bootstrap)
    return obstacles(outbox_urls(deployment).values(), since, known)


def require_slot(deployment: Deployment) -> None:
    """Refuse to go on with a slot that rows would be lost with.

    The connector itself refuses a slot that is gone. It does not refuse one that was moved past rows which it never
    read.
    """
    diagnosis = examine(deployment)
    if diagnosis.ailment is not None:
        raise LostSlotError(
            f"The connector was not started, because rows would be lost: {diagnosis.told}. "
            "Run `tailrace connector recover`."
        )
