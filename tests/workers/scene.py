"""A consumer that fails on purpose, what it is sent, and the command line that its operator uses."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER
from infra.settings import REPOSITORY
from schemas.messages.payments import PaymentCompleted
from tests.produce import Maker, NewRecord, Place, create_topic, produce
from tests.stack import RunningStack
from tests.workers import picky
from tests.workers.process import WorkerProcess

PARTITIONS = 2
STOP_S = 30.0


class Scene:
    """A consumer that fails on purpose, what it is sent, and the command line that its operator uses.

    Args:
        stack: The running stack.
        directory: Where it is said what was mended.
    """

    def __init__(self, stack: RunningStack, directory: Path) -> None:
        self.stack = stack
        self.name = f"test-{new_id()}"
        self.topic = create_topic(stack, name=self.name, partitions=PARTITIONS)
        self.worker: WorkerProcess | None = None
        self._mended = directory
        self._maker = Maker(stack)
        with self.connect() as connection:
            connection.execute(picky.TABLE.encode())

    def start(self) -> None:
        """Start the worker, and wait until it consumes."""
        settings = self.stack.settings
        environment = {
            **self.stack.environment,
            "TAILRACE_DATABASE_URL": self.stack.database_url("analytics"),
            "TAILRACE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TAILRACE_REGISTRY_URL": settings.registry_url,
            "TAILRACE_SCHEMA_CACHE": str(settings.schema_cache),
            "TAILRACE_PORT": "0",
            picky.NAME: self.name,
            picky.TOPIC: self.topic,
            picky.MENDED: str(self._mended),
        }
        log = settings.home / "logs" / f"{self.name}.log"
        self.worker = WorkerProcess(picky.MODULE, environment, log)
        self._wait("the worker does not consume", self._consumes)

    def stop(self) -> None:
        """Have the worker end in good order."""
        assert self.worker is not None
        self.worker.ask_to_stop()
        self.worker.wait(STOP_S)
        self.worker = None

    def payment(self, key: str, currency: str = "EUR") -> NewRecord:
        """Return a payment."""
        content = PaymentCompleted(
            payment_id=new_id(),
            order_id=new_id(),
            currency=currency,
            amount=Decimal("12.50"),
            completed_at=datetime.now(UTC),
        )
        return self._maker.record(content, key=key)

    def send(self, *records: NewRecord) -> list[str]:
        """Send records, and return their places once each has taken effect or is parked."""
        places = produce(self.stack, self.topic, records)
        ends = {place.partition: place.offset + 1 for place in sorted(places)}
        self._wait(
            "not all records were taken in",
            lambda: all(self.positions().get(p, 0) >= end for p, end in ends.items()),
        )
        return [text(place) for place in places]

    def send_payments(self, key: str, *currencies: str) -> list[str]:
        """Send payments of one key, and return their places."""
        return self.send(*(self.payment(key, currency) for currency in currencies))

    def mend(self, *keys: str) -> None:
        """Have the broken payments of keys taken from now on."""
        for key in keys:
            (self._mended / key).touch()

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `tailrace`."""
        return self.stack.cli(*arguments, check=check)

    def parked(self, *arguments: str) -> list[dict[str, Any]]:
        """Return what `parked list` tells of this consumer."""
        output = self.cli("parked", "list", "--consumer", self.name, "--json", *arguments).stdout
        messages: list[dict[str, Any]] = json.loads(output)["messages"]
        return messages

    def places(self, *arguments: str) -> list[str]:
        """Return the places that `parked list` tells of."""
        return [message["place"] for message in self.parked(*arguments)]

    def show(self, place: str) -> dict[str, Any]:
        """Return what `parked show` tells."""
        shown: dict[str, Any] = json.loads(self.cli("parked", "show", place, "--json").stdout)
        return shown

    def effects(self, *keys: str) -> list[tuple[str, str]]:
        """Return key and currency of the payments that were taken, in their order."""
        rows = self.query(
            "select key, currency from picky_effect where consumer = %s order by effect_id"
        )
        return [(row["key"], row["currency"]) for row in rows if not keys or row["key"] in keys]

    def actions(self, place: str) -> list[dict[str, Any]]:
        """Return the rows about one message that were kept of what was done, oldest first."""
        rows = self.query("select * from parked_action where consumer = %s order by action_id")
        return [
            row for row in rows if f"{row['topic']}/{row['partition']}/{row['offset']}" == place
        ]

    def positions(self) -> dict[int, int]:
        """Return the position in each partition."""
        rows = self.query("select partition, next_offset from consumer_offset where consumer = %s")
        return {row["partition"]: row["next_offset"] for row in rows}

    def query(self, query: str) -> list[dict[str, Any]]:
        """Ask the database about this consumer."""
        with self.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), [self.name]).fetchall()

    def clear(self) -> None:
        """Forget what is parked."""
        with self.connect() as connection:
            for table in ("parked_message", "parked_sequence"):
                connection.execute(f"delete from {table} where consumer = %s".encode(), [self.name])

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection to the schema of this consumer, of its owner."""
        return psycopg.connect(
            self.stack.database_url(OWNER), options="-c search_path=analytics", autocommit=True
        )

    def _consumes(self) -> bool:
        return self.worker is not None and self.worker.is_ready() and len(self.positions()) == 2

    def _wait(self, what: str, probe: Any) -> None:
        def looked() -> bool:
            worker = self.worker
            assert worker is None or worker.status is None, worker.last_words()
            return bool(probe())

        wait_until(what, looked, timeout_s=60, interval_s=0.1)


@contextmanager
def open_scene(stack: RunningStack, directory: Path) -> Iterator[Scene]:
    """Have a worker at work, and kill it when the block ends.

    Args:
        stack: The running stack.
        directory: Where it is said what was mended.
    """
    scene = Scene(stack, directory)
    scene.start()
    try:
        yield scene
    finally:
        if scene.worker is not None:
            scene.worker.kill()


@contextmanager
def beside(stack: RunningStack, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `tailrace` beside the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.cli", *arguments],
        cwd=REPOSITORY,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def text(place: Place) -> str:
    return f"{place.topic}/{place.partition}/{place.offset}"
