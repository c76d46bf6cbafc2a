"""The publishers that are measured, each with an outbox of its own: prepared, put to work, and taken away again."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Protocol

import psutil
import psycopg

from cdc import connector
from infra.capture import connector_settings
from infra.services import SUPERUSER
from tests.relays.world import World, open_world
from tests.stack import RunningStack

TIMEOUT_S = 60.0
DEBEZIUMS_OWN = (
    "poll.interval.ms",
    "producer.override.linger.ms",
    "producer.override.batch.size",
    "producer.override.compression.type",
    "max.batch.size",
    "max.queue.size",
    "extended.headers.enabled",
)
"""Settings of speed that are left to Debezium's defaults in the reference."""
CAPTURED = "canary"
"""A schema whose outbox the connector captures, and that nobody consumes from."""

_numbers = count(1)


class Publisher(Protocol):
    """Carries the rows of an outbox to Kafka."""

    schema: str
    """Where its outbox is. What is inserted before it starts waits for it."""

    def start(self) -> None:
        """Begin to publish."""

    def cpu_percent(self, seconds: float) -> float:
        """Return what it takes of one processor in so many seconds from now on, the database left out."""


class Debezium:
    """A connector of its own, with a slot of its own.

    Args:
        stack: A running stack whose own connector is gone.
        config: The connector's configuration.
    """

    schema = CAPTURED

    def __init__(self, stack: RunningStack, config: Mapping[str, str]) -> None:
        self._stack = stack
        self._url = stack.settings.connect_url
        self._config = dict(config)

    def start(self) -> None:
        """Let it run."""
        name = self._config["name"]
        connector.apply(self._url, name, self._config)
        connector.wait_until_running(self._url, name, TIMEOUT_S)

    def pause(self) -> None:
        """Stop it; its slot stays."""
        connector.stop(self._url, self._config["name"])

    def delete(self) -> None:
        """Delete it with its slot."""
        connector.delete(self._url, self._config["name"])
        drop_slots(self._stack)

    def cpu_percent(self, seconds: float) -> float:
        """Return what Connect takes of one processor."""
        return float(psutil.Process(self._stack.status()["connect"].pid).cpu_percent(seconds))


class Processes:
    """Processes of ours in a world of their own.

    Args:
        world: Their world.
        module: What each runs.
        number: How many there are.
        as_owner: They work with the rights of the table's owner, rather than with the relay's.
    """

    def __init__(self, world: World, module: str, number: int, *, as_owner: bool) -> None:
        self._variables = {"TAILRACE_DATABASE_URL": world.owner_url} if as_owner else {}
        self.schema = world.outbox
        self._world = world
        self._module = module
        self._number = number

    def start(self) -> None:
        """Let them run."""
        for _ in range(self._number):
            self._world.relays.append(self._world.launch(self._module, **self._variables))

    def cpu_percent(self, seconds: float) -> float:
        """Return what they take of one processor."""
        pids = [each.pid for each in self._world.relays]
        return sum(float(psutil.Process(pid).cpu_percent(seconds / len(pids))) for pid in pids)


Opened = AbstractContextManager[Publisher]


@contextmanager
def debezium(stack: RunningStack, topic: str, profile: str | None) -> Iterator[Debezium]:
    """Prepare a connector.

    Args:
        stack: A running stack whose own connector is gone.
        topic: Not used: a row says where to it goes.
        profile: A name of `profiles.json`; None leaves the settings of speed to Debezium.
    """
    number = next(_numbers)
    own = {"name": f"bench-{number}", "slot.name": f"bench_{number}"}
    config = connector.render(connector_settings(stack.deployment, stack.deployment.shards[0]))
    if profile is None:
        config = {key: value for key, value in config.items() if key not in DEBEZIUMS_OWN}
    else:
        config |= connector.profiles()[profile]
    publisher = Debezium(stack, config | own)
    publisher.start()  # which makes the slot
    try:
        publisher.pause()
        yield publisher
    finally:
        publisher.delete()


@contextmanager
def processes(
    stack: RunningStack, topic: str, module: str, number: int = 1, *, as_owner: bool = False
) -> Iterator[Processes]:
    """Prepare relays, or what else publishes an outbox that nobody captures.

    Args:
        stack: A running stack.
        topic: Where to the rows will go.
        module: What each of them runs.
        number: How many there are.
        as_owner: They work with the rights of the table's owner, rather than with the relay's.
    """
    with open_world(stack, topic=topic) as world:
        with psycopg.connect(world.owner_url) as connection:
            # the naive poller reads in the order of seq, and whoever wrote it made this index
            connection.execute("create index on outbox (seq)")
        yield Processes(world, module, number, as_owner=as_owner)


def drop_slots(stack: RunningStack) -> None:
    """Drop every slot that nobody reads, so that none holds back the WAL."""
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active"
        )
