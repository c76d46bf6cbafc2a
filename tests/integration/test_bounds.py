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
from cdc.envelope import HEADERS, headers_of, moment_of
from cdc.ids import new_id
from cdc.outbox import Outbox
from cdc.reconciliation import Window, open_outboxes
from infra.services import OUTBOXES
from schemas.catalogue import catalogue
from schemas.messages.canary import CanaryEmitted
from schemas.messages.consumers import MessageDeadLettered, ParkingReason
from tests.kafka import raw_records, records_of
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


BEYOND = ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01 00:00Z", "9999-12-31 23:59-01")
DELAY = """
insert into outbox_delayed (
    id, not_before, due_at, topic, aggregate_type, aggregate_id, type, payload, correlation_id, expires_at
)
values (%(id)s, %(not_before)s, %(due_at)s, 'canary.events', 'canary', 'k', 'c', 'x', %(id)s, %(expires_at)s)
"""


def write(connection: "psycopg.Connection[Any]", topic: str, **columns: object) -> UUID:
    """Write a message with other columns than one has by itself, and return its id."""
    row = {"id": new_id(), "kind": "message", "topic": topic, "aggregate_type": "canary"}
    row |= {"aggregate_id": "k", "type": TYPE, "payload": b"x", "correlation_id": new_id()}
    row |= columns
    values = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"insert into outbox ({', '.join(row)}) values ({values})".encode(), row)
    return UUID(str(row["id"]))


def times_of(connection: "psycopg.Connection[Any]", table: str) -> list[str]:
    found = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and atttypid = 'timestamptz'::regtype"
        " and not attisdropped",
        [table],
    )
    return [name for (name,) in found]


def test_a_time_that_no_header_can_hold_is_refused_in_every_column(stack: RunningStack) -> None:
    with open_outbox(stack) as outbox, outbox.owner() as connection:
        columns = times_of(connection, "outbox")
        assert {header.column for header in HEADERS if header.sql_type == "timestamptz"} <= {
            *columns
        }
        delayed = times_of(connection, "outbox_delayed")
        good = dict.fromkeys(delayed, "2030-01-01 00:00Z")
        for moment in BEYOND:
            for column in columns:
                with (
                    pytest.raises(CheckViolation, match="cannot be written"),
                    connection.transaction(),
                ):
                    write(connection, "canary.events", **{column: moment})
            for column in delayed:
                with (
                    pytest.raises(CheckViolation, match="cannot be written"),
                    connection.transaction(),
                ):
                    connection.execute(DELAY, good | {"id": new_id(), column: moment})
        for edge in ("0001-01-01 00:00Z", "9999-12-31 23:59:59.999999Z"):
            write(connection, "canary.events", **dict.fromkeys(columns, edge))
            connection.execute(DELAY, dict.fromkeys(delayed, edge) | {"id": new_id()})


def test_times_of_before_keep_no_other_row_from_being_published(stack: RunningStack) -> None:
    """A database of the time before a column was bounded has what would be refused now."""
    with open_world(stack) as world:
        with world.connect() as owner:
            owner.execute("alter table outbox disable trigger outbox_admit")
            columns = times_of(owner, "outbox")
            bad = [
                write(owner, world.topic, aggregate_id=str(number), **{column: moment})
                for column in columns
                for number, moment in enumerate(BEYOND)
            ]
            large = write(
                owner, world.topic, payload=bytes(2 * LIMIT), **dict.fromkeys(columns, "infinity")
            )
            owner.execute("alter table outbox enable trigger outbox_admit")
        world.start(1)
        world.wait_published()
        with world.connect() as owner:
            good = write(owner, world.topic)
            behind = write(owner, world.topic, aggregate_id="0", expires_at="2030-01-01 00:00Z")
        world.wait_published()
        assert [each.rows for each in world.situation().set_aside] == [2], "the large one, and one"
        found = records_of(stack, world.topic)
        assert found.keys() == set(map(str, [*bad, behind]))
        with open_outboxes({world.outbox: world.owner_url}) as outboxes:
            rows = list(outboxes.rows(world.topic, Window()))
        assert {row.id for _, row in rows} == {*bad, large, good, behind}
        for row in (row for _, row in rows if str(row.id) in found):
            [record] = found[str(row.id)]
            assert record.headers == {n: v and v.decode() for n, v in headers_of(row)}, (
                "they differ"
            )
            assert moment_of(str(record.headers["ce_time"]).encode())


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
            write(owner, "canary.events", expires_at="infinity")
        assert outbox.upgrade()[:3] == ["outbox_0005", "outbox_0006", "outbox_0007"]
        with outbox.connect() as service:
            insert(service, outbox.schema, key="k", version=6)
            assert service.execute("select count(*) from outbox").fetchone() == (4,)
            with pytest.raises(CheckViolation, match="cannot be written"):
                write(service, "canary.events", expires_at="infinity")
