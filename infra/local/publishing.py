"""Who publishes the outbox, and how the work is handed over when that changes."""

import threading

from cdc import connector
from cdc.relay.handover import Handover
from cdc.relay.settings import RelaySettings
from infra.services import CAPTURE, OUTBOXES, OWNER, RELAY
from infra.settings import Settings

HANDOVER_TIMEOUT_S = 120.0


def handover(settings: Settings) -> Handover:
    # a stack whose relay publishes, or did, has one database
    main = settings.deployment().main
    return Handover(
        owner_url=main.url(OWNER),
        replication_url=main.url(CAPTURE),
        relay=RELAY,
        outboxes=main.outboxes,
        slot=main.slot,
    )


def to_relay(settings: Settings) -> str:
    """Let the relay begin where the connector, which does not run any more, has left off."""
    taken = handover(settings).to_relay()
    return f"the relay takes {', '.join(taken)}" if taken else ""


def drop_slot(settings: Settings) -> str:
    """Drop the slot that nobody reads any more."""
    return "dropped" if handover(settings).drop_slot() else ""


def to_connector(settings: Settings, cancelled: threading.Event) -> str:
    """Publish with a relay what is left, and let the connector begin behind it.

    What Connect remembers of the connector is of the time before the relay, and is forgotten.
    """
    work = handover(settings)
    if not work.is_relays():
        return ""
    if connector.show(settings.connect_url, connector.NAME) is not None:
        connector.stop(settings.connect_url, connector.NAME)
        connector.forget_position(settings.connect_url, connector.NAME)
        # made anew it has not begun, and is not taken for one that has lost its slot
        connector.delete(settings.connect_url, connector.NAME)
    relay = RelaySettings(
        database_url=settings.database_url(RELAY), kafka_bootstrap=settings.kafka_bootstrap
    )
    work.to_connector(relay, timeout_s=HANDOVER_TIMEOUT_S, cancelled=cancelled)
    return f"the connector takes {', '.join(OUTBOXES)}"
