"""What Kafka refuses holds up nothing but its own key or topic, and is never published again and again."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from cdc.ids import new_id
from cdc.relay.aside import AT_ONCE
from cdc.relay.backlog import leave_out
from infra.services import SUPERUSER
from schemas.catalogue import catalogue
from tests.declaring import declare_topic
from tests.kafka import records_of
from tests.produce import create_topic
from tests.relays.world import World, open_world
from tests.stack import RunningStack

TOO_LARGE = bytes(catalogue().message_bytes + 2**16)


@pytest.fixture
def world(stack: RunningStack) -> Iterator[World]:
    with open_world(stack) as world:
        yield world


def insert(
    connection: "psycopg.Connection[Any]", topic: str, key: str, payload: bytes = b"x"
) -> UUID:
    message_id = new_id()
    connection.execute(
        "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id)"
        " values (%s, 'message', %s, 'canary', %s, 'c', %s, %s)",
        [message_id, topic, key, payload, message_id],
    )
    return message_id


def order_of(stack: RunningStack, topic: str) -> dict[str, list[str]]:
    """Return the ids of the records of each key in their order."""
    found: dict[str, list[tuple[int, str]]] = {}
    for message_id, copies in records_of(stack, topic).items():
        for copy in copies:
            found.setdefault((copy.key or b"").decode(), []).append((copy.offset, message_id))
    return {key: [message_id for _, message_id in sorted(each)] for key, each in found.items()}


def delete_topic(stack: RunningStack, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    [deleted] = admin.delete_topics([topic], operation_timeout=30).values()
    deleted.result()


def allow(stack: RunningStack, topic: str, size: str) -> None:
    """Set the largest batch that a topic takes."""
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    entry = ConfigEntry("max.message.bytes", size, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    [altered] = admin.incremental_alter_configs([resource]).values()
    altered.result()


def strings(ids: list[UUID]) -> list[str]:
    return [str(each) for each in ids]


def test_a_topic_that_is_gone_holds_up_its_own_rows_alone(
    stack: RunningStack, world: World
) -> None:
    gone = create_topic(stack)
    declare_topic(stack, gone, world.outbox)
    world.start(2)
    with world.connect() as connection:
        before = insert(connection, gone, "a")
    world.wait_published()
    assert order_of(stack, gone) == {"a": [str(before)]}
    delete_topic(stack, gone)
    written: dict[str, list[UUID]] = {"a": [], "b": []}
    others: list[UUID] = []
    with world.connect() as connection:
        for number in range(60):
            key = "ab"[number % 2]
            written[key].append(insert(connection, gone, key))
            others.append(insert(connection, world.topic, "c"))
            connection.commit()
    world.wait("the others are not published", lambda: world.situation().pending == 0)
    assert order_of(stack, world.topic) == {"c": strings(others)}, "something came again"
    [aside] = world.situation().set_aside
    assert (aside.topic, aside.rows, aside.because) == (gone, 60, "topic")
    with world.connect() as connection:
        later = insert(connection, world.topic, "c")
    world.wait("it is not published", lambda: len(order_of(stack, world.topic)["c"]) == 61)
    assert order_of(stack, world.topic) == {"c": [*strings(others), str(later)]}
    world.kill(world.relays[0])
    create_topic(stack, name=gone)
    world.wait("it is still set aside", lambda: not world.situation().set_aside)
    assert order_of(stack, gone) == {key: strings(ids) for key, ids in written.items()}


def test_a_row_that_is_too_large_holds_up_its_own_key_alone(
    stack: RunningStack, world: World
) -> None:
    with world.connect() as connection:
        connection.execute("alter table outbox disable trigger outbox_admit")
        first = insert(connection, world.topic, "a")
        large = insert(connection, world.topic, "a", TOO_LARGE)
        behind = [insert(connection, world.topic, "a") for _ in range(3)]
        others = [insert(connection, world.topic, "b") for _ in range(3)]
        connection.execute("alter table outbox enable trigger outbox_admit")
    world.start(1)
    world.wait_published()
    assert order_of(stack, world.topic) == {"a": [str(first)], "b": strings(others)}
    [aside] = world.situation().set_aside
    assert (aside.first, aside.rows, aside.keys, aside.because) == (large, 4, 1, "row")
    assert "bytes" in aside.reason
    assert str(large) in aside.remedy
    world.kill(world.relays[0])
    world.start(1)
    with world.connect() as connection:
        behind.append(insert(connection, world.topic, "a"))
    world.wait("it is not set aside", lambda: world.situation().set_aside[0].rows == 5)
    assert leave_out(world.relay_url, large) == (world.outbox, world.topic, "a")
    assert leave_out(world.relay_url, large) is None
    world.wait("they still wait", lambda: not world.situation().set_aside)
    assert order_of(stack, world.topic)["a"] == strings([first, *behind])


def test_a_row_that_the_broker_refuses_is_set_aside_and_goes_when_it_may(
    stack: RunningStack, world: World
) -> None:
    """Somebody has made a topic's limit smaller than ours."""
    small = create_topic(stack, config={"max.message.bytes": "20000"})
    declare_topic(stack, small, world.outbox)
    world.start(1)
    with world.connect() as connection:
        written = [
            insert(connection, small, "a", payload) for payload in (b"1", os.urandom(64_000), b"3")
        ]
        other = [insert(connection, small, f"k{number}") for number in range(20)]
        elsewhere = insert(connection, world.topic, "c")
    world.wait_published()
    assert order_of(stack, world.topic) == {"c": [str(elsewhere)]}
    found = order_of(stack, small)
    assert found == {"a": [str(written[0])]} | {f"k{n}": [str(i)] for n, i in enumerate(other)}
    [aside] = world.situation().set_aside
    assert (aside.first, aside.rows) == (written[1], 2)
    assert "MSG_SIZE_TOO_LARGE" in aside.reason
    allow(stack, small, "1000000")
    world.wait("it is still set aside", lambda: not world.situation().set_aside)
    assert order_of(stack, small)["a"] == strings(written)


def test_those_that_are_refused_again_and_again_keep_nobody_from_being_tried(
    stack: RunningStack, world: World
) -> None:
    """Before those that may go by now are more keys than are tried at once, some of them with as many rows behind."""
    small, again = f"test-{new_id()}", f"test-{new_id()}"
    for topic in (small, again):
        declare_topic(stack, topic, world.outbox)
    large, behind = os.urandom(21_000), 2 * AT_ONCE + 50
    with world.connect() as connection:
        connection.execute("alter table outbox disable trigger outbox_admit")
        stuck = insert(connection, small, "stuck", TOO_LARGE)
        refused = insert(connection, small, "refused", large)
        for _ in range(behind):
            insert(connection, small, "stuck")
            insert(connection, small, "refused")
        for number in range(2 * AT_ONCE):
            insert(connection, small, f"k{number}", large)
        written = [insert(connection, again, "a", large)]
        written += [insert(connection, again, "a", b"%d" % each) for each in range(behind)]
        others = [insert(connection, again, "b"), insert(connection, again, "b", large)]
        connection.execute("alter table outbox enable trigger outbox_admit")
    world.start(1)
    world.wait_published()
    set_aside = {each.topic: each.rows for each in world.situation().set_aside}
    assert set_aside == {small: 2 + 2 * behind + 2 * AT_ONCE, again: 3 + behind}
    create_topic(stack, name=small, config={"max.message.bytes": "20000"})
    create_topic(stack, name=again)
    world.wait("they still wait", lambda: len(world.situation().set_aside) == 1)
    assert order_of(stack, again) == {"a": strings(written), "b": strings(others)}
    assert order_of(stack, small) == {}
    assert leave_out(world.relay_url, refused)
    world.wait("others still wait", lambda: world.situation().set_aside[0].keys == 1 + 2 * AT_ONCE)
    assert len(order_of(stack, small)["refused"]) == behind
    assert leave_out(world.relay_url, stuck)
    allow(stack, small, "1000000")
    world.wait("something is still set aside", lambda: not world.situation().set_aside)
    assert len(order_of(stack, small)["stuck"]) == behind
    assert len(order_of(stack, small)) == 2 + 2 * AT_ONCE


def test_a_broker_that_is_away_sets_nothing_aside(stack: RunningStack, world: World) -> None:
    world.start(1)
    stack.stop("kafka")
    with world.connect() as connection:
        ids = [insert(connection, world.topic, f"k{number % 5}") for number in range(50)]
    world.wait("it does not see it", lambda: "begins anew" in world.relays[0].log())
    stack.start("kafka")
    world.wait_published()
    copies = Counter(
        message_id
        for message_id, records in records_of(stack, world.topic).items()
        for _ in records
    )
    assert set(copies) == set(strings(ids))
    assert world.situation().set_aside == []


def test_a_relay_goes_on_after_its_sessions_were_ended(stack: RunningStack, world: World) -> None:
    world.start(1)
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as superuser:
        superuser.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tailrace relay%'"
        )
    with world.connect() as connection:
        written = insert(connection, world.topic, "a")
    world.wait_published()
    assert order_of(stack, world.topic) == {"a": [str(written)]}


def test_status_says_so_and_ends_with_1(stack: RunningStack) -> None:
    told = json.loads(stack.cli("relay", "status", "--json", check=False).stdout)
    assert told["set_aside"] == []
    refused = stack.cli("relay", "skip", str(new_id()), "--yes", check=False)
    assert refused.returncode == 1
    assert "is not set aside" in refused.stderr
    assert stack.cli("relay", "skip", "seven", check=False).returncode == 2
