"""A consumer group as the broker knows it, and taking out of it the member that an ended process left behind."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from cdc.logs import FieldLogger
from consumers.runtime.store import Place

TIMEOUT_S = 5.0
PAUSE_S = 0.2
ATTEMPTS = 25

STATES = {
    "PreparingRebalance": ConsumerGroupState.PREPARING_REBALANCING,
    "CompletingRebalance": ConsumerGroupState.COMPLETING_REBALANCING,
    "Stable": ConsumerGroupState.STABLE,
    "Dead": ConsumerGroupState.DEAD,
    "Empty": ConsumerGroupState.EMPTY,
}
"""What Kafka calls them -> what we do."""

log = FieldLogger(__name__)

Told = TypeVar("Told")


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


class GroupReader:
    """Asks for groups again and again, in a thread that has no event loop.

    What librdkafka has for it aborts the process when a broker is lost just then (its issue 4605): for a command that
    is a pity, for a process of workers the loss of their partitions.

    Args:
        bootstrap: `host:port` of a broker.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._runner = asyncio.Runner()
        self._client: Any = None
        self._coordinators: dict[str, int] = {}

    def read(
        self, names: Sequence[str], timeout_s: float = TIMEOUT_S
    ) -> dict[str, Group | KafkaException]:
        """Return consumer groups by name; in the place of one of which the broker does not say, why it does not.

        Args:
            names: Which.
            timeout_s: How long their coordinators may take to answer, in seconds.
        """
        questions = [
            partial(_describe, name=name, coordinators=self._coordinators) for name in names
        ]
        return dict(zip(names, self._runner.run(self._ask(questions, timeout_s)), strict=True))

    def remove(self, name: str, members: Sequence[str]) -> None:
        """Take members out of a group, so that their partitions are dealt out at once.

        Raises:
            KafkaException: the broker does not answer.
        """
        question = partial(_remove, name=name, members=members)
        [answer] = self._runner.run(self._ask([question], TIMEOUT_S))
        if isinstance(answer, KafkaException):
            raise answer

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._close())
        self._runner.close()

    async def _ask(
        self, questions: Sequence[Callable[[Any], Coroutine[Any, Any, Told]]], timeout_s: float
    ) -> Sequence[Told | KafkaException]:
        """Return the answers; after one that did not come, the next questions are asked over new connections."""
        client = self._client
        if client is None:
            client = self._client = _new_client(self._bootstrap)
            connected = await _answer(client.bootstrap(), timeout_s)
            if isinstance(connected, KafkaException):
                await self._close()
                return [connected] * len(questions)
        answers = await asyncio.gather(*(_answer(ask(client), timeout_s) for ask in questions))
        if any(isinstance(answer, KafkaException) for answer in answers):
            await self._close()
        return answers

    async def _close(self) -> None:
        client, self._client = self._client, None
        self._coordinators.clear()
        if client is not None:
            await client.close()


def read_groups(admin: AdminClient, names: Sequence[str]) -> dict[str, Group | KafkaException]:
    """Return consumer groups by name; in the place of one of which the broker does not say, why it does not.

    For commands: see `GroupReader`.
    """
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
    for _ in range(ATTEMPTS):
        client = _new_client(bootstrap)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await client.bootstrap()
                members = (await _describe(client, name, {})).members
                left = [member for member, owner in members.items() if owner == client_id]
                await _remove(client, name, left)
        except unanswered() as error:
            log.warning("group cannot be asked", error=error, again_in_s=PAUSE_S)
            await asyncio.sleep(PAUSE_S)
        else:
            if left:
                log.info("removed from the group what an ended process has left", members=left)
            return
        finally:
            await client.close()


async def remove(bootstrap: str, name: str, members: Sequence[str]) -> None:
    """Take members out of a group; those that are not in it do not matter.

    Raises:
        Exception: one of those that `unanswered` returns: the broker cannot be asked.
    """
    client = _new_client(bootstrap)
    try:
        await client.bootstrap()
        await _remove(client, name, members)
    finally:
        await client.close()


# aiokafka: a worker has imported it anyway, whoever only looks at a group is spared it


def _new_client(bootstrap: str) -> Any:
    from aiokafka.client import AIOKafkaClient

    return AIOKafkaClient(bootstrap_servers=bootstrap)


def unanswered() -> tuple[type[Exception], ...]:
    """Return what a broker that cannot be asked leads to."""
    from aiokafka import errors

    # a client that was told of no brokers asserts that there are some
    return (errors.KafkaError, OSError, TimeoutError, AssertionError)


async def _answer(asked: Coroutine[Any, Any, Told], timeout_s: float) -> Told | KafkaException:
    try:
        async with asyncio.timeout(timeout_s):
            return await asked
    except unanswered() as error:
        return KafkaException(KafkaError(KafkaError._TRANSPORT, str(error)))  # noqa: SLF001 - documented


async def _describe(client: Any, name: str, coordinators: dict[str, int]) -> Group:
    from aiokafka.client import CoordinationType
    from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as Assignment
    from aiokafka.errors import NoError, for_code
    from aiokafka.protocol.admin import DescribeGroupsRequest

    if name not in coordinators:
        coordinators[name] = await client.coordinator_lookup(CoordinationType.GROUP, name)
    answer = await client.send(coordinators[name], DescribeGroupsRequest([name]))
    [(error_code, _, state, _, _, members, *_)] = answer.groups
    if (error := for_code(error_code)) is not NoError:
        raise error  # such as a group that is only being loaded
    return Group(
        state=STATES.get(state, ConsumerGroupState.UNKNOWN),
        members={member_id: client_id for member_id, client_id, *_ in members},
        held=frozenset(
            Place(topic, partition)
            for *_, assigned in members
            if assigned
            for topic, partitions in Assignment.decode(assigned).assignment
            for partition in partitions
        ),
    )


async def _remove(client: Any, name: str, members: Sequence[str]) -> None:
    from aiokafka.client import CoordinationType
    from aiokafka.errors import NoError, UnknownMemberIdError, for_code
    from aiokafka.protocol.group import LeaveGroupRequest

    if not members:
        return
    coordinator = await client.coordinator_lookup(CoordinationType.GROUP, name)
    for member in members:
        answer = await client.send(coordinator, LeaveGroupRequest(name, member))
        error = for_code(answer.error_code)
        if error not in {NoError, UnknownMemberIdError}:
            raise error
