"""A world for relays: an outbox that nobody captures, progress of its own, and the relays that publish it."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from cdc import migrations
from cdc.ids import new_id
from cdc.manifest import OUTBOX_TABLES
from cdc.relay.backlog import Situation, situation
from cdc.relay.handover import BEGINNING, SHARDS
from infra.local.probe import ProbeTimeoutError, wait_until
from infra.services import CANARY, OWNER, RELAY
from tests.canaries import Canaries
from tests.declaring import declare_topic
from tests.produce import create_topic
from tests.stack import RunningStack
from tests.workers.process import WorkerProcess

TAKEOVER_S = 4.0
"""So soon the shards of a relay that stands still go to another one here."""


class World:
    """An outbox, and its relays.

    Args:
        stack: The running stack.
        topic: Where the canaries go.
        name: Schema of the outbox; that of the progress begins with it.
    """

    def __init__(self, stack: RunningStack, topic: str, name: str) -> None:
        self.stack = stack
        self.topic = topic
        self.outbox = name
        self.progress = f"{name}_progress"
        self.owner_url = _leading_to(stack.database_url(OWNER), name)
        self.relay_url = _leading_to(stack.database_url(RELAY), self.progress)
        self.canaries = Canaries(stack, topic, url=self.owner_url)
        self.relays: list[WorkerProcess] = []
        self._logs = 0

    def connect(self) -> psycopg.Connection[Any]:
        """Connect as the owner of the outbox."""
        return psycopg.connect(self.owner_url)

    def environment(self, **variables: str) -> dict[str, str]:
        """Return what a relay is told."""
        told = {
            "TAILRACE_DATABASE_URL": self.relay_url,
            "TAILRACE_KAFKA_BOOTSTRAP": self.stack.settings.kafka_bootstrap,
            "TAILRACE_PORT": "0",
            "TAILRACE_RELAY_TAKEOVER_S": str(TAKEOVER_S),
        }
        return self.stack.environment | told | variables

    def launch(self, module: str = "cdc.relay", **variables: str) -> WorkerProcess:
        """Start a process."""
        self._logs += 1
        log = self.stack.settings.home / "logs" / f"{self.outbox}-{self._logs}.log"
        return WorkerProcess(module, self.environment(**variables), log)

    def start(self, number: int = 1, **variables: str) -> None:
        """Start relays, and wait until all have their share."""
        self.relays += [self.launch(**variables) for _ in range(number)]
        self.wait_shared()

    def wait_shared(self) -> None:
        """Wait until the relays have each a fair share of the shards, and all of them together."""
        fair = -(-SHARDS // len(self.relays))

        def shared() -> bool:
            conditions = [relay.health() for relay in self.relays if not relay.is_frozen]
            shares = [condition["shards"] if condition else [] for condition in conditions]
            return sum(map(len, shares)) == SHARDS and max(map(len, shares)) <= fair

        self.wait("the relays do not share the work", shared)

    def kill(self, relay: WorkerProcess) -> None:
        """Kill a relay."""
        self.relays.remove(relay)
        relay.kill()

    def situation(self) -> Situation:
        """Return how the relays stand."""
        return situation(self.relay_url)

    def wait_published(self) -> None:
        """Wait until everything is published."""
        self.wait("not everything is published", lambda: self.situation().pending == 0)

    def wait(self, what: str, probe: Any, *, timeout_s: float = 60.0) -> None:
        """Wait for something; when it does not come, say what the relays have to say."""
        try:
            wait_until(what, probe, timeout_s=timeout_s, interval_s=0.1)
        except ProbeTimeoutError as error:
            words = "\n".join(relay.last_words() for relay in self.relays)
            raise AssertionError(f"{error}\n{self.situation()}\n{words}") from error


@contextmanager
def open_world(
    stack: RunningStack, *, topic: str | None = None, partitions: int = 3
) -> Iterator[World]:
    """Make an outbox and its progress, and remove both when the block ends, whatever runs then."""
    name = f"test_{new_id().hex}"
    world = World(stack, topic or create_topic(stack, partitions=partitions), name)
    owner = stack.database_url(OWNER)
    schemas = {"outbox": sql.Identifier(name), "progress": sql.Identifier(world.progress)}
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create schema {outbox}; create schema {progress}").format(**schemas)
        )
        try:
            migrations.upgrade(owner, schema=name, packages=[OUTBOX_TABLES], role=CANARY)
            migrations.upgrade(
                owner, schema=world.progress, packages=["cdc.relay.migrations"], role=RELAY
            )
            connection.execute(
                sql.SQL(
                    "grant usage on schema {outbox}, {progress} to {relay};"
                    "grant select on {outbox}.outbox to {relay};"
                    "alter table {outbox}.outbox enable trigger outbox_notify;"
                    "insert into {progress}.progress (outbox, shard, since)"
                    " select {name}, shard, {since} from generate_series(0, {last}) as shard"
                ).format(
                    **schemas,
                    relay=sql.Identifier(RELAY),
                    name=sql.Literal(name),
                    since=sql.Literal(BEGINNING),
                    last=sql.Literal(SHARDS - 1),
                )
            )
            declare_topic(stack, world.topic, name)
            yield world
        finally:
            for relay in world.relays:
                with contextlib.suppress(ProcessLookupError):
                    relay.kill()
            connection.execute(
                sql.SQL("drop schema {outbox}, {progress} cascade").format(**schemas)
            )


def _leading_to(url: str, schema: str) -> str:
    return f"{url}&options={quote(f'-c search_path={schema}', safe='')}"
