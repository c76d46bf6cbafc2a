"""The relay: who holds what, what waits, and leaving out what Kafka refuses."""

from uuid import UUID

from cdc.relay import backlog
from cdc.relay.backlog import SetAsideRow, Situation
from infra.deployment import Deployment
from infra.errors import TailraceError
from infra.services import RELAY


def report(deployment: Deployment) -> Situation:
    return backlog.situation(deployment.database_url(RELAY))


def is_well(found: Situation) -> bool:
    """Whether the relay publishes, every shard is held, and nothing is set aside."""
    held = found.shards and all(shard.holder for shard in found.shards)
    return bool(held) and not found.set_aside


def leave_out(deployment: Deployment, message_id: UUID) -> SetAsideRow:
    """Have a row that Kafka refuses never published, and return whose it was."""
    left_out = backlog.leave_out(deployment.database_url(RELAY), message_id)
    if left_out is None:
        raise TailraceError(
            f"The message {message_id} is not set aside; `tailrace relay status` names those that are."
        )
    return left_out
