"""The table changes and transactions that an outbox may see in its life, while Debezium reads it."""

import os
import time

import psycopg
import pytest

from cdc import envelope
from cdc.ids import new_id
from infra.local.probe import wait_until
from infra.services import OWNER
from tests.canaries import Canaries
from tests.filling import Filling
from tests.kafka import ends_of, records_of
from tests.produce import create_topic
from tests.slots import recover, verify
from tests.stack import RunningStack
from tests.writer import Writer

LARGE = int(os.environ.get("TAILRACE_TEST_LARGE_TRANSACTION", "50000"))
"""Events in one transaction; a million takes about a minute."""
KEYS = 1000


CHANGES = (
    "add column note text",
    "add column mark text not null default 'none'",
    "alter column note set default 'some'",
    "drop column note",
    "drop column mark",
)


def test_columns_come_and_go_under_load(stack: RunningStack) -> None:
    topic = create_topic(stack, partitions=3)
    service = Writer(stack, topic)
    connect = stack.status()["connect"].pid
    try:
        with service.at_work():
            wait_for_records(stack, topic, 10)
            for change in CHANGES:
                alter(stack, change)
                wait_for_records(stack, topic, 10)
    finally:
        alter(stack, "drop column if exists note, drop column if exists mark")
    written = [each for ids in service.written().values() for each in ids]
    assert not service.failures
    wait_until(
        "not everything was delivered",
        lambda: set(records_of(stack, topic)) == set(map(str, written)),
        timeout_s=60,
    )
    report = verify(stack, topic)
    assert report["ok"], report
    assert report["counts"]["duplicated"] == 0, "the task was restarted"
    assert stack.status()["connect"].pid == connect
    assert stack.cli("connector", "status").returncode == 0


def test_a_row_of_before_there_was_a_header_is_published_without_it(stack: RunningStack) -> None:
    """As at an upgrade: the connector knows of the header while it still reads rows of tables that did not have it."""
    topic = create_topic(stack)
    filling = Filling(stack, topic, keys=2)
    alter(stack, "drop column reply_to")
    try:
        with filling.connect() as connection:
            filling.add(connection, 1)
        wait_until_it_holds(stack, topic, 2)
    finally:
        with psycopg.connect(stack.database_url(OWNER)) as connection:
            connection.execute("set search_path = canary")
            assert envelope.declare(connection, "canary") == ["outbox.reply_to"]
    [[record], *_] = records_of(stack, topic).values()
    assert "reply_to" not in record.headers
    assert "expires_at" in record.headers
    with filling.connect() as connection:
        filling.add(connection, 1)
    wait_until_it_holds(stack, topic, 4)
    assert verify(stack, topic)["ok"]


def test_a_column_that_the_connector_reads_must_not_be_renamed(stack: RunningStack) -> None:
    topic = create_topic(stack)
    filling = Filling(stack, topic, keys=2)
    alter(stack, "disable trigger outbox_admit")  # which would refuse rows without it
    alter(stack, "rename column aggregate_id to identity")
    try:
        with filling.connect() as connection:
            connection.execute(
                "insert into outbox (id, kind, topic, aggregate_type, identity, type, payload, correlation_id)"
                " values (%(id)s, 'message', %(topic)s, 'canary', 'k', 'canary.CanaryEmitted', 'x', %(id)s)",
                {"id": new_id(), "topic": topic},
            )
        wait_until("the task goes on", lambda: "FAILED" in state(stack), timeout_s=60)
    finally:
        alter(stack, "rename column identity to aggregate_id")
        alter(stack, "enable trigger outbox_admit")
    with filling.connect() as connection:
        filling.add(connection, 1)
    stack.cli("connector", "restart", check=False)
    wait_until("the row is passed", lambda: "FAILED" in state(stack), timeout_s=60)
    assert recover(stack)["ailment"] is None
    recovered = recover(stack, "--force")
    assert recovered["rows"] >= 3
    report = verify(stack, topic)
    assert report["ok"], report
    assert report["records"] == 3


def state(stack: RunningStack) -> str:
    return stack.cli("connector", "status", check=False).stdout


def test_one_transaction_with_very_many_events(
    stack: RunningStack, capsys: pytest.CaptureFixture[str]
) -> None:
    topic, other = create_topic(stack, partitions=6), create_topic(stack)
    connect = stack.status()["connect"].pid
    filling, canaries = Filling(stack, topic, KEYS), Canaries(stack, other)
    with filling.connect() as connection:
        added = filling.add(connection, LARGE // KEYS)
        connection.commit()
        begun = time.monotonic()
        # commits right behind it, and so has to wait until all of it was decoded
        canaries.append(connection, str(new_id()), after_version=0)
    wait_until(
        "the event behind it was not delivered",
        lambda: sum(ends_of(stack, other).values()) == 1,
        timeout_s=300,
        interval_s=0.05,
    )
    behind_s = time.monotonic() - begun
    wait_until(
        "not everything was delivered",
        lambda: sum(ends_of(stack, topic).values()) >= added,
        timeout_s=300,
    )
    delivered_s = time.monotonic() - begun
    with capsys.disabled():
        print(  # noqa: T201 - a figure, not a claim
            f"\n{added:,} events in one transaction: delivered in {delivered_s:.1f} s, an event of another key right "
            f"behind it in {behind_s:.1f} s"
        )
    status = stack.status()["connect"]
    assert status.pid == connect, "Connect was restarted"
    assert stack.cli("connector", "status").returncode == 0
    report = verify(stack, topic)
    assert report["ok"], report
    assert report["rows"] == report["records"] == added


def alter(stack: RunningStack, change: str) -> None:
    """Change the canary's outbox as a migration would."""
    with psycopg.connect(stack.database_url(OWNER), options="-c search_path=canary") as connection:
        connection.execute(f"alter table outbox {change}".encode())


def wait_for_records(stack: RunningStack, topic: str, number: int) -> None:
    """Wait until a topic has so many records more than now."""
    wait_until_it_holds(stack, topic, sum(ends_of(stack, topic).values()) + number)


def wait_until_it_holds(stack: RunningStack, topic: str, number: int) -> None:
    """Wait until a topic has so many records."""
    wait_until(
        "nothing arrives any more",
        lambda: sum(ends_of(stack, topic).values()) >= number,
        timeout_s=60,
    )
