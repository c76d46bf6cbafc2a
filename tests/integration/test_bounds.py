"""What could not be published never commits, and what commits is published by connector and relay alike."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    ConfigResource,
    ResourceType,
)
from psycopg.errors import CheckViolation

from cdc.bounds import FIXED_BYTES, MessageRefusedError
from cdc.context import MessageContext
from cdc.database import Connection
from cdc.ids import new_id
from cdc.outbox import Outbox
from infra.services import OUTBOXES
from schemas.catalogue import catalogue
from schemas.messages.canary import CanaryEmitted
from schemas.messages.consumers import MessageDeadLettered, ParkingReason
from tests.kafka import raw_records
from tests.outboxes import OutboxSchema, open_outbox
from tests.produce import create_topic
from tests.relays.world import open_world
from tests.stack import RunningStack

LIMIT = catalogue().message_bytes
TYPE = "canary.CanaryEmitted"
INSERT = """
insert into {}.outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload, correlation_id)
values (%(id)s, %(kind)s, %(topic)s, 'canary', %(key)s, %(version)s, %(type)s, %(payload)s, %(id)s)
"""


def insert(connection: "psycopg.Connection[Any]", schema: str, **columns: object) -> UUID:
    """Write a row as a program in another language does, and return its id; committing is the caller's."""
    message_id = new_id()
    row: dict[str, object] = {"id": message_id, "kind": "event", "topic": "canary.events"}
    row |= {"key": str(message_id), "version": 1, "type": TYPE, "payload": b"x"}
    connection.execute(INSERT.format(schema).encode(), row | columns)
    return message_id


def largest_payload(key: str, source: str) -> bytes:
    """Return the largest payload that an outbox takes; random, so that no compression makes it small."""
    return os.urandom(LIMIT - FIXED_BYTES - len(key) - len(TYPE) - len(source) - len("1.0"))


@pytest.mark.parametrize("schema", OUTBOXES)
@pytest.mark.parametrize(
    ("columns", "constraint", "named"),
    [
        ({"payload": bytes(1_048_565)}, "outbox_message_fits", f"limit of {LIMIT} bytes"),
        ({"key": "k" * 2 * LIMIT, "kind": "message", "version": None}, "outbox_message_fits", ""),
        ({"type": "t" * LIMIT}, "outbox_message_fits", f"limit of {LIMIT} bytes"),
        ({"topic": "no.such.topic"}, "outbox_topic_declared", "'no.such.topic'"),
        ({"topic": ""}, "outbox_topic_declared", "''"),
        ({"topic": "schema.publications"}, "outbox_topic_declared", "'schema.publications'"),
        ({"version": 11}, "outbox_event_follows", "there is no version 10 before it"),
        ({"version": 2**63 - 1}, "outbox_event_follows", "would leave a gap"),
    ],
)
def test_what_cannot_be_published_is_refused_whoever_writes_it(
    stack: RunningStack, schema: str, columns: dict[str, Any], constraint: str, named: str
) -> None:
    with (
        psycopg.connect(stack.database_url(schema)) as connection,
        pytest.raises(CheckViolation) as refused,
    ):
        insert(connection, schema, **columns)
    assert refused.value.diag.constraint_name == constraint
    assert named in str(refused.value)


def test_a_time_that_no_header_can_hold_is_refused(stack: RunningStack) -> None:
    with open_outbox(stack) as outbox, outbox.owner() as connection:
        for moment in ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01 00:00Z"):
            with pytest.raises(CheckViolation), connection.transaction():
                connection.execute(
                    "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id,"
                    " occurred_at) select id, 'message', 'canary.events', 'a', 'b', 'c', '', id, %s"
                    " from gen_random_uuid() as id",
                    [moment],
                )


def test_the_largest_message_is_delivered_by_the_connector_and_by_the_relay(
    stack: RunningStack,
) -> None:
    topic = create_topic(stack)
    key = str(new_id())
    with psycopg.connect(stack.database_url("canary")) as connection:
        payload = largest_payload(key, "/canary")
        message_id = insert(connection, "canary", topic=topic, key=key, payload=payload)
        with pytest.raises(CheckViolation), connection.transaction():
            insert(connection, "canary", topic=topic, key=key, version=2, payload=payload + b"x")
    [delivered] = raw_records(stack, topic, message_id=message_id, count=1)
    with open_world(stack, topic=topic) as world:
        with world.connect() as owner:
            owner.execute(
                "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload,"
                " correlation_id) select id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type,"
                " payload, correlation_id from canary.outbox where id = %s",
                [message_id],
            )
        world.start(1)
        world.wait_published()
    first, second = raw_records(stack, topic, message_id=message_id, count=2)
    assert first.value == second.value == delivered.value == payload


def test_an_event_may_follow_one_of_the_same_statement(stack: RunningStack) -> None:
    with open_outbox(stack) as outbox, outbox.connect() as connection:
        written = connection.execute(
            "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload,"
            " correlation_id) select gen_random_uuid(), 'event', 'canary.events', 'canary', 'k', n, 'c', '',"
            " gen_random_uuid() from generate_series(1, 10) as n"
        )
        assert written.rowcount == 10


def dead_letter(words: str) -> MessageDeadLettered:
    return MessageDeadLettered(
        consumer="a-worker",
        topic="a.events",
        partition=0,
        offset=0,
        key=None,
        message_id=None,
        type=None,
        reason=ParkingReason.FAILED,
        error_class="Error",
        error_text=words,
        attempts=1,
    )


def as_canary(stack: RunningStack, work: Callable[[Outbox, Connection], Awaitable[None]]) -> None:
    """Run something in a transaction of the canary's role."""
    settings = stack.settings
    kinds = [CanaryEmitted, MessageDeadLettered]
    outbox = Outbox.open(settings.registry_url, settings.schema_cache, kinds)

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(stack.database_url("canary")) as to:
            await work(outbox, to)

    asyncio.run(run())


def test_the_outbox_names_size_and_limit_and_the_transaction_goes_on(stack: RunningStack) -> None:
    context = MessageContext(correlation_id=new_id())

    async def work(outbox: Outbox, connection: Connection) -> None:
        with pytest.raises(MessageRefusedError, match=rf"1,\d+,\d+ bytes .* {LIMIT:,} bytes"):
            await outbox.send(connection, dead_letter("w" * LIMIT), key="k", context=context)
        await outbox.send(connection, dead_letter("short"), key="k", context=context)
        await connection.rollback()

    as_canary(stack, work)


@pytest.mark.parametrize("piped", [False, True])
def test_a_version_that_leaves_a_gap_is_refused(stack: RunningStack, piped: bool) -> None:  # noqa: FBT001
    context = MessageContext(correlation_id=new_id())
    key = str(new_id())

    async def work(outbox: Outbox, connection: Connection) -> None:
        async def append(after: int, events: int = 1) -> None:
            signs = [CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC))] * events
            await outbox.append(
                connection, signs, aggregate_id=key, after_version=after, context=context
            )

        await append(0, 3)
        round_trip = outbox.pipeline(connection) if piped else nullcontext()
        with pytest.raises(MessageRefusedError, match="no version 10 before it"):
            async with connection.transaction(), round_trip:
                await append(10)
        await append(3, 2)
        await connection.rollback()

    as_canary(stack, work)


def test_every_carrier_lets_pass_what_the_outbox_takes(stack: RunningStack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    topics = [ConfigResource(ResourceType.TOPIC, name) for name in catalogue().topics]
    for future in admin.describe_configs(topics).values():
        assert future.result()["max.message.bytes"].value == str(catalogue().batch_bytes)
    [broker] = admin.describe_configs([ConfigResource(ResourceType.BROKER, "1")]).values()
    settings = broker.result()
    assert settings["message.max.bytes"].value == str(catalogue().batch_bytes)
    assert settings["replica.fetch.max.bytes"].value == str(catalogue().batch_bytes)


def test_topics_are_kept_in_step_with_the_catalogue(stack: RunningStack) -> None:
    def known(outbox: OutboxSchema) -> dict[str, int]:
        with outbox.connect() as connection:
            return dict(connection.execute("select name, max_bytes from outbox_topic").fetchall())

    wanted = {topic.name: LIMIT for topic in catalogue().topics.values() if topic.messages}
    with open_outbox(stack) as outbox:
        with outbox.owner() as owner:
            owner.execute("update outbox_topic set max_bytes = 1 where name = 'order.events'")
            owner.execute("delete from outbox_topic where name = 'payment.events'")
        outbox.upgrade()
        assert known(outbox) == wanted


def test_rows_of_before_may_stay(stack: RunningStack) -> None:
    """A database of the time before the bounds has what would be refused now."""
    with open_outbox(stack) as outbox:
        outbox.drop_bounds()
        with outbox.owner() as owner:
            owner.execute(
                "update alembic_version_cdc_migrations_outbox set version_num = 'outbox_0004'"
            )
            insert(owner, outbox.schema, topic="no.such.topic", payload=bytes(2 * LIMIT))
            insert(owner, outbox.schema, key="k", version=5)
        assert outbox.upgrade()[:3] == ["outbox_0005", "outbox_0006", "outbox_0007"]
        with outbox.connect() as service:
            insert(service, outbox.schema, key="k", version=6)
            assert service.execute("select count(*) from outbox").fetchone() == (3,)
