"""The relay: who holds what, what waits, and leaving out what Kafka refuses."""

from dataclasses import replace
from uuid import UUID

from cdc.relay import backlog
from cdc.relay.backlog import SetAsideRow, Situation
from infra.deployment import Deployment
from infra.errors import TailraceError
from infra.services import RELAY


def report(deployment: Deployment) -> Situation:
    """Return how the relays stand, in all databases."""
    found = [(each, backlog.situation(each.url(RELAY))) for each in deployment.captures]
    return Situation(
        [shard for _, each in found for shard in each.shards],
        [
            replace(waits, outbox=capture.outbox_label(waits.outbox))
            for capture, each in found
            for waits in each.backlogs
        ],
        [row for _, each in found for row in each.set_aside],
    )


def is_well(found: Situation) -> bool:
    """Whether the relay publishes, every shard is held, and nothing is set aside."""
    held = found.shards and all(shard.holder for shard in found.shards)
    return bool(held) and not found.set_aside


def leave_out(deployment: Deployment, message_id: UUID) -> SetAsideRow:
    """Have a row that Kafka refuses never published, and return whose it was."""
    asked = (backlog.leave_out(each.url(RELAY), message_id) for each in deployment.captures)
    left_out = next(filter(None, asked), None)
    if left_out is None:
        raise TailraceError(
            f"The message {message_id} is not set aside; `tailrace relay status` names those that are."
        )
    return left_out
