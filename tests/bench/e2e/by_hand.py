"""The reference `handwritten` at work, in a schema and topics of its own on the same servers."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import psycopg
from confluent_kafka.admin import AdminClient

from infra.local.probe import ProbeTimeoutError, port_answers, wait_until
from infra.local.supervision.conf import MARKER_VARIABLE
from infra.pipeline import unstable_groups
from infra.services import SUPERUSER
from infra.settings import HOST, REPOSITORY
from tests.bench.e2e.contender import AtWork
from tests.bench.e2e.handwritten import settings as told
from tests.bench.e2e.handwritten.worker import WORKERS
from tests.bench.e2e.traffic import ORDER, System
from tests.bench.errors import BenchError
from tests.produce import create_topic
from tests.services import free_port
from tests.stack import RunningStack

NAME = "handwritten"
PARTITIONS = 6
START_S = 60.0
STOP_S = 10.0


def create(stack: RunningStack) -> None:
    """Make its tables and topics."""
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(told.QUERIES["create"])
    for topic in (told.ORDERS, told.PAYMENTS):
        create_topic(stack, name=topic, partitions=PARTITIONS)


@contextmanager
def by_hand(stack: RunningStack) -> Iterator[AtWork]:
    """Start its programs, and end them with the block."""
    storefront, orders = free_port(), free_port()
    variables = {
        "HANDWRITTEN_ORDERS_URL": f"http://{HOST}:{orders}",
        "HANDWRITTEN_DATABASE_URL": stack.database_url(SUPERUSER),
        "HANDWRITTEN_KAFKA": stack.settings.kafka_bootstrap,
    }
    programs = {
        "storefront": (["storefront"], {"HANDWRITTEN_PORT": str(storefront)}),
        "orders": (["orders"], {"HANDWRITTEN_PORT": str(orders)}),
        "relay": (["relay"], {}),
        **{f"{name}-worker": (["worker", name], {}) for name in WORKERS},
    }
    with ExitStack() as running:
        pids = {
            name: running.enter_context(_program(stack, name, arguments, variables | more))
            for name, (arguments, more) in programs.items()
        }
        _wait(stack, storefront, orders)
        system = System(
            url=f"http://{HOST}:{storefront}/orders",
            order=ORDER,
            bootstrap=stack.settings.kafka_bootstrap,
            topic=told.ORDERS,
            last=frozenset({b"OrderConfirmed"}),
        )
        yield AtWork(system, pids)


@contextmanager
def _program(
    stack: RunningStack, name: str, arguments: list[str], variables: Mapping[str, str]
) -> Iterator[int]:
    module, *more = arguments
    log = stack.settings.home / "logs" / f"handwritten-{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.e2e.handwritten.{module}", *more],
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


def _wait(stack: RunningStack, *ports: int) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap, "log_level": 0})
    groups = [f"handwritten-{name}" for name in WORKERS]

    def is_ready() -> bool:
        return all(map(port_answers, ports)) and not unstable_groups(admin, groups)

    try:
        wait_until("the reference is not at work", is_ready, timeout_s=START_S)
    except ProbeTimeoutError as error:
        raise BenchError(f"{error} Its logs are beside those of the stack.") from error
