"""Who publishes the outbox, and how the work is handed over when that changes."""

import threading

from cdc import connector
from cdc.relay.handover import Handover
from cdc.relay.settings import RelaySettings
from infra.deployment import Capture
from infra.services import CAPTURE, OWNER, RELAY
from infra.settings import Settings

HANDOVER_TIMEOUT_S = 120.0


def handover(capture: Capture) -> Handover:
    return Handover(
        owner_url=capture.url(OWNER),
        replication_url=capture.url(CAPTURE),
        relay=RELAY,
        outboxes=capture.outboxes,
        slot=capture.shards[0].slot,  # a relay takes the place of one connector, never of several
    )


def to_relay(settings: Settings) -> str:
    """Let the relay begin where the connectors, which do not run any more, have left off."""
    taken = [
        each.label(outbox) for each in settings.captures for outbox in handover(each).to_relay()
    ]
    return f"the relay takes {', '.join(taken)}" if taken else ""


def drop_slot(settings: Settings) -> str:
    """Drop the slots that nobody reads any more."""
    work = map(handover, settings.captures)
    dropped = [each.slot for each in work if each.drop_slot()]
    return f"dropped {', '.join(dropped)}" if dropped else ""


def to_connector(settings: Settings, cancelled: threading.Event) -> str:
    """Publish with a relay what is left, and let the connectors begin behind it."""
    taken = [
        each.label(outbox)
        for each in settings.captures
        if _to_connector(settings, each, cancelled)
        for outbox in each.outboxes
    ]
    return f"the connector takes {', '.join(taken)}" if taken else ""


def _to_connector(settings: Settings, capture: Capture, cancelled: threading.Event) -> bool:
    """Do the same for one; what Connect remembers of it is of the time before the relay, and is forgotten."""
    work, name = handover(capture), capture.shards[0].connector
    if not work.is_relays():
        return False
    if connector.show(settings.connect_url, name) is not None:
        connector.stop(settings.connect_url, name)
        connector.forget_position(settings.connect_url, name)
        # made anew it has not begun, and is not taken for one that has lost its slot
        connector.delete(settings.connect_url, name)
    relay = RelaySettings(database_url=capture.url(RELAY), kafka_bootstrap=settings.kafka_bootstrap)
    return work.to_connector(relay, timeout_s=HANDOVER_TIMEOUT_S, cancelled=cancelled)
