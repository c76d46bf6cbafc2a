"""The capture of this installation: connector and slot, and whether they fit together."""

import time
from datetime import UTC, datetime

from cdc import connector, topics
from cdc.slot import Slot, read_slot
from cdc.slot.backlog import Backlog, backlog
from cdc.slot.health import Diagnosis, diagnose
from cdc.slot.obstacles import Obstacle, obstacles
from infra.errors import TailraceError
from infra.services import CAPTURE, OUTBOXES, PUBLICATION
from infra.settings import HOST, Settings

LOOK_EVERY_S = 0.25
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any row was written."""


class LostSlotError(TailraceError):
    """The connector must not go on before its slot is recovered."""


def connector_settings(settings: Settings) -> connector.ConnectorSettings:
    """The connector of this stack; its password stays in the file Connect reads it from."""
    return connector.ConnectorSettings(
        host=HOST,
        port=settings.postgres_port,
        database="tailrace",
        user=CAPTURE,
        password=f"${{directory:{settings.connect_secrets}:{CAPTURE}.password}}",
        publication=PUBLICATION,
        profile=settings.cdc_profile,
    )


def outbox_urls(settings: Settings) -> dict[str, str]:
    """Return schema -> libpq URL of the role that may read the outbox there."""
    return {schema: settings.database_url(schema) for schema in OUTBOXES}


def slot(settings: Settings) -> Slot | None:
    """Return the connector's slot, or None when there is none."""
    return read_slot(settings.database_url(CAPTURE), connector_settings(settings).slot)


def examine(settings: Settings) -> Diagnosis:
    """Return what is wrong with the slot."""
    url, name = settings.connect_url, connector.NAME
    state = connector.status(url, name)
    position = None if state.connector == "ABSENT" else connector.read_position(url, name)
    # read last: the position is stored first, and then the slot follows
    return diagnose(connector_settings(settings).slot, slot(settings), state, position)


def unpublished(settings: Settings, patience_s: float) -> Backlog | None:
    """Return what the outboxes hold that is not in Kafka; None when the connector has not stored a position yet."""
    until = datetime.now(UTC)
    deadline = time.monotonic() + patience_s
    while True:
        position = connector.read_position(settings.connect_url, connector.NAME)
        if position is None or position.committed_at is None:
            return None
        found = backlog(outbox_urls(settings).values(), position.committed_at, until)
        if not found.rows or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_EVERY_S)


def in_the_way(settings: Settings) -> list[Obstacle]:
    """Return the rows that the connector cannot get past; any row counts as long as it has not stored a position."""
    if connector.show(settings.connect_url, connector.NAME) is None:
        return []
    position = connector.read_position(settings.connect_url, connector.NAME)
    since = (position and position.committed_at) or BEGINNING
    known = topics.names(settings.kafka_bootstrap)
    return obstacles(outbox_urls(settings).values(), since, known)


def require_slot(settings: Settings) -> None:
    """Refuse to go on with a slot that rows would be lost with.

    The connector itself refuses a slot that is gone. It does not refuse one that was moved past rows which it never
    read.
    """
    diagnosis = examine(settings)
    if diagnosis.ailment is not None:
        raise LostSlotError(
            f"The connector was not started, because rows would be lost: {diagnosis.told}. "
            "Run `tailrace connector recover`."
        )
