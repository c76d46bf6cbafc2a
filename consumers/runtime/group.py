"""A consumer group as the broker knows it, and taking out of it the member that an ended process left behind."""

import asyncio
from dataclasses import dataclass

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from cdc.kafka import new_admin
from cdc.logs import FieldLogger
from consumers.runtime.store import Place

TIMEOUT_S = 5.0
PAUSE_S = 0.2
ATTEMPTS = 25

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group.

    Args:
        state: Its state.
        members: Ids of its members, with the client id of each.
        held: The partitions that a member holds; known only while the group is stable.
    """

    state: ConsumerGroupState
    members: dict[str, str]
    held: frozenset[Place]

    @property
    def is_stable(self) -> bool:
        """Whether partitions are dealt out to members."""
        return self.state == ConsumerGroupState.STABLE and bool(self.members)


def read_group(admin: AdminClient, name: str) -> Group:
    """Return a consumer group.

    Raises:
        KafkaException: the broker does not say.
    """
    [answer] = admin.describe_consumer_groups([name], request_timeout=TIMEOUT_S).values()
    group = answer.result()
    return Group(
        state=group.state,
        members={member.member_id: member.client_id for member in group.members},
        held=frozenset(
            Place(place.topic, place.partition)
            for member in group.members
            if member.assignment
            for place in member.assignment.topic_partitions
        ),
    )


async def remove_left_behind(bootstrap: str, name: str, client_id: str) -> None:
    """Take members with a client id out of a group, so that their partitions are dealt out at once.

    For a process that knows that whoever used this client id before has ended: the broker would wait until the session
    of a killed one runs out. A member that is alive after all joins again, which costs a rebalance and nothing else.

    Args:
        bootstrap: `host:port` of a broker.
        name: The group.
        client_id: Client id of the members to remove.
    """
    admin = new_admin(bootstrap)
    for _ in range(ATTEMPTS):
        try:
            group = await asyncio.to_thread(read_group, admin, name)
            left = [member for member, client in group.members.items() if client == client_id]
            if left:
                await _remove(bootstrap, name, left)
                log.info("removed from the group what an ended process has left", members=left)
        except (KafkaException, KafkaError) as error:
            log.warning("group cannot be asked", error=error, again_in_s=PAUSE_S)
            await asyncio.sleep(PAUSE_S)
        else:
            return


async def _remove(bootstrap: str, name: str, members: list[str]) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, name)
        for member in members:
            await client.send(coordinator, LeaveGroupRequest(name, member))
    finally:
        await client.close()
