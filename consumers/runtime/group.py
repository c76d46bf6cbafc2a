"""A consumer group as the broker knows it, and taking out of it the member that an ended process left behind."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from cdc.kafka import Admin
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
    [answer] = _asked(admin, [name]).values()
    return _group(answer)


def read_groups(admin: AdminClient, names: Sequence[str]) -> dict[str, Group | KafkaException]:
    """Return consumer groups by name; in the place of one of which the broker does not say, why it does not."""
    found: dict[str, Group | KafkaException] = {}
    for name, answer in _asked(admin, names).items():
        try:
            found[name] = _group(answer)
        except KafkaException as error:
            found[name] = error
    return found


def _asked(admin: AdminClient, names: Sequence[str]) -> dict[str, Future[Any]]:
    return admin.describe_consumer_groups(list(names), request_timeout=TIMEOUT_S)


def _group(answer: Future[Any]) -> Group:
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
    # a worker has imported it anyway, whoever only looks at a group is spared it
    from aiokafka.errors import KafkaError

    admin = Admin(bootstrap)
    for _ in range(ATTEMPTS):
        try:
            with admin.asking() as asked:
                # a group that is asked for in vain can abort the process as soon as there is a broker
                await asyncio.to_thread(asked.list_topics, timeout=TIMEOUT_S)
                group = await asyncio.to_thread(read_group, asked, name)
            left = [member for member, client in group.members.items() if client == client_id]
            if left:
                await remove(bootstrap, name, left)
                log.info("removed from the group what an ended process has left", members=left)
        except (KafkaException, KafkaError) as error:
            log.warning("group cannot be asked", error=error, again_in_s=PAUSE_S)
            await asyncio.sleep(PAUSE_S)
        else:
            return


async def remove(bootstrap: str, name: str, members: Sequence[str]) -> None:
    """Take members out of a group; those that are not in it do not matter.

    Raises:
        KafkaError: the broker cannot be asked.
    """
    from aiokafka.client import AIOKafkaClient, CoordinationType
    from aiokafka.errors import NoError, UnknownMemberIdError, for_code
    from aiokafka.protocol.group import LeaveGroupRequest

    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    try:
        await client.bootstrap()
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, name)
        for member in members:
            answer = await client.send(coordinator, LeaveGroupRequest(name, member))
            error = for_code(answer.error_code)
            if error not in {NoError, UnknownMemberIdError}:
                raise error  # such as a group that is only being loaded
    finally:
        await client.close()
