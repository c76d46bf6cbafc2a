"""The references at work, each in a schema and topics of its own on the same servers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from confluent_kafka.admin import AdminClient

from infra.local.probe import ProbeTimeoutError, port_answers, wait_until
from infra.local.supervision.conf import MARKER_VARIABLE
from infra.pipeline import unstable_groups
from infra.services import SUPERUSER
from infra.settings import HOST, REPOSITORY
from tests.bench.e2e.contender import AtWork
from tests.bench.e2e.traffic import Steps, System
from tests.bench.environments import environment
from tests.bench.errors import BenchError
from tests.produce import create_topic
from tests.services import free_port
from tests.stack import RunningStack

HERE = Path(__file__).parent
TOPICS = ("orders", "payments", "reservations", "shipments")
WORKERS: Mapping[Steps, tuple[str, ...]] = {
    "two": ("payments", "orders", "analytics"),
    "four": ("payments", "inventory", "shipping", "orders", "analytics"),
}
PARTITIONS = 6
START_S = 60.0
STOP_S = 10.0


@dataclass(frozen=True, slots=True)
class Reference:
    """The same services as somebody else would have written them.

    Args:
        name: Its name, which its schema, its topics and consumer groups bear.
        package: Where its programs are: `storefront`, `orders`, `relay` and `worker`.
        client: By which library its storefront calls its orders service.
        lock: What its own virtual environment has in it; none if it runs in ours.
    """

    name: str
    package: str
    client: str
    lock: Path | None = None

    def prepare(self, stack: RunningStack) -> None:
        """Make its tables and topics."""
        files = (HERE / "tables.sql", HERE / self.package / "messages.sql")
        tables = b"".join(each.read_bytes() for each in files)
        with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
            connection.execute(tables.replace(b"REFERENCE", self.name.encode()))
        for topic in TOPICS:
            create_topic(stack, name=f"{self.name}.{topic}", partitions=PARTITIONS)

    @contextmanager
    def at_work(self, stack: RunningStack, steps: Steps) -> Iterator[AtWork]:
        """Start its programs, and end them with the block."""
        storefront, orders = free_port(), free_port()
        variables = {
            "REFERENCE_NAME": self.name,
            "REFERENCE_CLIENT": self.client,
            "REFERENCE_ORDERS_URL": f"http://{HOST}:{orders}",
            "REFERENCE_DATABASE_URL": stack.database_url(SUPERUSER),
            "REFERENCE_KAFKA": stack.settings.kafka_bootstrap,
        }
        programs = {
            "storefront": (["storefront"], {"REFERENCE_PORT": str(storefront)}),
            "orders": (["orders"], {"REFERENCE_PORT": str(orders)}),
            "relay": (["relay"], {}),
            **{f"{name}-worker": (["worker", name], {}) for name in WORKERS[steps]},
        }
        with ExitStack() as running:
            pids = {
                name: running.enter_context(self._program(stack, name, arguments, variables | more))
                for name, (arguments, more) in programs.items()
            }
            self._wait(stack, steps, storefront, orders)
            system = System(
                url=f"http://{HOST}:{storefront}/orders",
                steps=steps,
                bootstrap=stack.settings.kafka_bootstrap,
                topic=f"{self.name}.orders",
                last=frozenset({b"OrderConfirmed"}),
            )
            yield AtWork(system, pids)

    @contextmanager
    def _program(
        self, stack: RunningStack, name: str, arguments: list[str], variables: Mapping[str, str]
    ) -> Iterator[int]:
        module, *more = arguments
        python = environment(self.lock) if self.lock else sys.executable
        log = stack.settings.home / "logs" / f"{self.name}-{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python, "-m", f"{__package__}.{self.package}.{module}", *more],
                cwd=REPOSITORY,
                # it does not outlive the stack
                env={**os.environ, MARKER_VARIABLE: str(stack.settings.home), **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, stack: RunningStack, steps: Steps, *ports: int) -> None:
        admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap, "log_level": 0})
        groups = [f"{self.name}-{worker}" for worker in WORKERS[steps]]

        def is_ready() -> bool:
            return all(map(port_answers, ports)) and not unstable_groups(admin, groups)

        try:
            wait_until(f"{self.name} is not at work", is_ready, timeout_s=START_S)
        except ProbeTimeoutError as error:
            raise BenchError(f"{error} Its logs are beside those of the stack.") from error


HANDWRITTEN = Reference("handwritten", "handwritten", "aiohttp")
HANDWRITTEN_HTTPX = Reference("handwritten_httpx", "handwritten", "httpx")
FASTSTREAM_OUTBOX = Reference(
    "faststream_outbox",
    "with_faststream",
    "httpx",
    lock=HERE / "with_faststream" / "libraries.lock",
)
BY_HAND = (HANDWRITTEN, HANDWRITTEN_HTTPX)
REFERENCES = (*BY_HAND, FASTSTREAM_OUTBOX)
