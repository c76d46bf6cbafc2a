"""Rows of a hundred kilobytes that wait for a broker: what Connect holds of them is bounded, and all of them arrive."""

import time

import psycopg

from infra.local.probe import wait_until
from infra.local.supervision.client import Supervisor
from tests.again import show
from tests.declaring import declare_topic
from tests.kafka import ends_of
from tests.outboxes import send
from tests.produce import create_topic
from tests.stack import RunningStack
from tests.workers.chance import tell

ROWS = 6_000
BYTES = 100_000
"""Together half as much again as Connect's memory."""
IN_A_TRANSACTION = 500
FROZEN_S = 25.0
"""Less than half of it is enough to read as many as there is memory for."""


def test_large_rows_that_wait_for_kafka_do_not_take_all_memory(stack: RunningStack) -> None:
    topic = create_topic(stack)
    declare_topic(stack, topic, "canary")
    supervisor = Supervisor(stack.settings.home)
    stack.stop("connect")
    try:
        with psycopg.connect(stack.database_url("canary")) as connection:
            for number in range(1, ROWS + 1):
                send(connection, topic=topic, size=BYTES)
                if number % IN_A_TRANSACTION == 0:
                    connection.commit()
    finally:
        supervisor.start("connect")
    begun = supervisor.processes()["connect"]
    wait_until("nothing is published", lambda: published(stack, topic) > 0, timeout_s=60)
    with stack.frozen("kafka"):
        time.sleep(FROZEN_S)
    before = published(stack, topic)
    show(before < ROWS / 2, "most was published before Kafka stood still")
    wait_until("not all is published", lambda: published(stack, topic) >= ROWS, timeout_s=120)
    tell(f"{before} of {ROWS} rows were published before Kafka stood still")
    ended = supervisor.processes()["connect"]
    assert (ended.pid, ended.restarts) == (begun.pid, begun.restarts), "Connect has ended meanwhile"


def published(stack: RunningStack, topic: str) -> int:
    return sum(ends_of(stack, topic).values())
