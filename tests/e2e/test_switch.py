"""Switching the publisher of a running stack, both ways, while orders flow."""

import signal
import subprocess
import sys
import threading
from contextlib import AbstractContextManager

import httpx2
import psycopg

from infra.local.probe import wait_until
from infra.services import OUTBOXES, OWNER, SUPERUSER
from infra.settings import REPOSITORY, Publisher
from tests.kafka import records_of
from tests.meanwhile import meanwhile
from tests.orders import effects, find, place, wait_until_decided
from tests.relays.order import broken, first_versions
from tests.stack import RunningStack, wait_until_running

PUBLISHERS: tuple[Publisher, ...] = ("cdc",)
TOPICS = ("order.events", "payment.events")


class Customer:
    """Somebody who orders and orders."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self.orders: list[str] = []

    def at_work(self) -> AbstractContextManager[None]:
        """Order while the block runs."""
        return meanwhile(self._order)

    def _order(self, stopped: threading.Event) -> None:
        while not stopped.wait(0.05):
            try:
                self.orders.append(place(self._stack)["order_id"])
            except httpx2.TransportError:
                continue


def ids_of(stack: RunningStack, topic: str) -> set[str]:
    """Return the messages for a topic that were ever committed."""
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        rows = [
            row
            for schema in OUTBOXES
            for row in connection.execute(
                f"select id::text from {schema}.outbox where topic = %s".encode(), [topic]
            )
        ]
    return {message_id for (message_id,) in rows}


def slots(stack: RunningStack) -> int:
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        [[count]] = connection.execute("select count(*) from pg_replication_slots").fetchall()
    return int(count)


def test_switching_both_ways_loses_nothing_and_keeps_the_order(stack: RunningStack) -> None:
    """On the way back the slot has to wait for a transaction, somebody loses patience, and it is begun again."""
    customer = Customer(stack)
    try:
        with customer.at_work():
            stack.publish_by("relay")
            assert slots(stack) == 0, "a slot that nobody reads would hold back the WAL"
            wait_until_running(stack)
            with psycopg.connect(stack.database_url(OWNER)) as connection:
                connection.execute("select pg_current_xact_id()")
                break_off(stack)
            stack.cli("up")
            stack.publish_by("cdc")
            assert slots(stack) == 1
    finally:
        stack.publish_by("cdc")
    decided = wait_until_decided(stack, customer.orders)
    assert decided["pending"] == 0
    assert effects(stack, customer.orders).payments == len(customer.orders)
    for topic in TOPICS:
        assert ids_of(stack, topic) <= set(records_of(stack, topic)), f"{topic} lacks messages"
    versions = first_versions(stack, "order.events")
    assert broken({key: versions[key] for key in customer.orders}) == []


def break_off(stack: RunningStack) -> None:
    """Begin to go back to the connector, and interrupt it while its slot is being made."""
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.cli", "up"],
        cwd=REPOSITORY,
        env=stack.environment | {"TAILRACE_PUBLISHER": "cdc"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until("no slot is being made", lambda: is_slot_being_made(stack), timeout_s=60)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 1
    order = place(stack)["order_id"]
    assert find(stack, order)["status"] == "pending", "nobody should publish now"


def is_slot_being_made(stack: RunningStack) -> bool:
    query = "select count(*) from pg_stat_activity where state = 'active' and query ~ '^select pg_create_logical'"
    with psycopg.connect(stack.database_url(SUPERUSER)) as connection:
        return connection.execute(query.encode()).fetchall() == [(1,)]
