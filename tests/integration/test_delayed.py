"""Delayed messages: kept back until their time, then published once, whatever becomes of others."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cdc.context import MessageContext, next_traceparent
from cdc.database import Connection, Pool, open_pool
from cdc.delayed import AT_ONCE, publish_due
from cdc.ids import new_id
from cdc.outbox import Outbox
from cdc.tracing.spans import ns_of, span_id_of
from cdc.work import utc_now
from infra.local.probe import wait_until
from schemas.messages.canary import CanaryEmitted
from tests.declaring import declare_topic
from tests.kafka import records_of
from tests.outboxes import OutboxSchema
from tests.produce import create_topic
from tests.stack import RunningStack
from tests.tracing import recorded

T = TypeVar("T")
LATER = timedelta(hours=1)


@pytest.fixture(scope="module")
def schema(stack: RunningStack) -> Iterator[OutboxSchema]:
    outbox = OutboxSchema(stack)
    yield outbox
    outbox.drop()


@pytest.fixture(autouse=True)
def empty(schema: OutboxSchema) -> None:
    with schema.owner() as connection:
        connection.execute("truncate outbox, outbox_delayed")


@pytest.fixture
def outbox(stack: RunningStack) -> Outbox:
    settings = stack.settings
    return Outbox.open(settings.registry_url, settings.schema_cache, [CanaryEmitted])


async def delay(
    outbox: Outbox,
    connection: Connection,
    not_before: datetime,
    key: str,
    traceparent: str | None = None,
) -> UUID:
    return await outbox.send(
        connection,
        CanaryEmitted(canary_id=new_id(), emitted_at=datetime.now(UTC)),
        key=key,
        context=MessageContext(correlation_id=new_id(), traceparent=traceparent),
        expires_at=not_before + LATER,
        not_before=not_before,
    )


@asynccontextmanager
async def pool_of(stack: RunningStack, schema: OutboxSchema) -> AsyncIterator[Pool]:
    url = make_conninfo(stack.database_url("canary"), options=f"-c search_path={schema.schema}")
    async with open_pool(url) as pool:
        yield pool


def in_schema(stack: RunningStack, schema: OutboxSchema, work: Callable[[Pool], Awaitable[T]]) -> T:
    async def run() -> T:
        async with pool_of(stack, schema) as pool:
            return await work(pool)

    return asyncio.run(run())


def published(schema: OutboxSchema) -> list[str]:
    with schema.owner() as connection:
        return [
            key for (key,) in connection.execute("select aggregate_id from outbox order by seq")
        ]


def waiting(schema: OutboxSchema) -> int:
    with schema.owner() as connection:
        [[count]] = connection.execute("select count(*) from outbox_delayed").fetchall()
    return int(count)


def test_a_message_is_kept_back_until_its_time(
    stack: RunningStack, schema: OutboxSchema, outbox: Outbox
) -> None:
    async def work(pool: Pool) -> None:
        now = utc_now()
        async with pool.connection() as connection, connection.transaction():
            await delay(outbox, connection, now - timedelta(seconds=1), "second")
            await delay(outbox, connection, now - timedelta(seconds=2), "first")
            await delay(outbox, connection, now + LATER, "later")
        assert published(schema) == []
        await publish_due(pool)

    in_schema(stack, schema, work)
    assert published(schema) == ["first", "second"]
    assert waiting(schema) == 1
    with schema.owner() as connection:
        rows = connection.execute(
            "select kind, expires_at - occurred_at, source from outbox"
        ).fetchall()
    for kind, left, source in rows:
        assert (kind, source) == ("message", "/canary")
        assert timedelta(minutes=59) < left < LATER, "what it says of itself is kept"


def test_being_kept_back_is_a_span_of_the_trace_that_had_it_sent(
    stack: RunningStack, schema: OutboxSchema, outbox: Outbox
) -> None:
    async def work(pool: Pool) -> None:
        past, trace = utc_now() - timedelta(seconds=1), next_traceparent(None)
        async with pool.connection() as connection, connection.transaction():
            await delay(outbox, connection, past, "recorded", trace)
            await delay(outbox, connection, past, "not", f"{next_traceparent(None)[:-2]}00")
            await delay(outbox, connection, past, "without")
        await publish_due(pool)
        assert spans.one("delay").parent == span_id_of(trace)

    with recorded() as spans:
        before = ns_of(utc_now()) // 1_000_000 * 1_000_000
        in_schema(stack, schema, work)
    span = spans.one("delay")
    assert before <= span.begin_ns <= span.end_ns <= ns_of(utc_now())
    assert span.service == "canary"


def test_a_message_that_was_rolled_back_was_never_kept(
    stack: RunningStack, schema: OutboxSchema, outbox: Outbox
) -> None:
    async def work(pool: Pool) -> None:
        async with pool.connection() as connection:
            await connection.execute("begin")
            await delay(outbox, connection, utc_now(), "never")
            await connection.rollback()
        await publish_due(pool)

    in_schema(stack, schema, work)
    assert published(schema) == []


def test_a_message_can_be_withdrawn_until_it_is_published(
    stack: RunningStack, schema: OutboxSchema, outbox: Outbox
) -> None:
    async def work(pool: Pool) -> list[bool]:
        async with pool.connection() as connection, connection.transaction():
            early = await delay(outbox, connection, utc_now() + LATER, "early")
            late = await delay(outbox, connection, utc_now(), "late")
        async with pool.connection() as connection, connection.transaction():
            found = [await outbox.withdraw(connection, early)]
        await publish_due(pool)
        async with pool.connection() as connection, connection.transaction():
            return [*found, await outbox.withdraw(connection, late)]

    assert in_schema(stack, schema, work) == [True, False]
    assert published(schema) == ["late"]
    assert waiting(schema) == 0


def test_what_the_outbox_refuses_holds_up_nothing_and_is_tried_again(
    stack: RunningStack, schema: OutboxSchema, outbox: Outbox
) -> None:
    async def work(pool: Pool) -> None:
        async with pool.connection() as connection, connection.transaction():
            for number in range(5):
                await delay(outbox, connection, utc_now(), str(number))
        with schema.owner() as owner:
            owner.execute("update outbox_delayed set topic = 'gone' where aggregate_id = '2'")
        await publish_due(pool)
        await publish_due(pool)

    in_schema(stack, schema, work)
    assert published(schema) == ["0", "1", "3", "4"]
    with schema.owner() as connection:
        [[attempts, pause, error]] = connection.execute(
            "select attempts, due_at - clock_timestamp(), error from outbox_delayed"
        ).fetchall()
        assert attempts == 2, "once with the others, once alone"
        assert pause > timedelta(0)
        assert "no topic 'gone' is declared" in error
        connection.execute("update outbox_delayed set topic = 'canary.events', due_at = now()")
    in_schema(stack, schema, publish_due)
    assert published(schema) == ["0", "1", "3", "4", "2"]


def test_what_is_refused_does_not_change_the_order_of_the_others(
    stack: RunningStack, schema: OutboxSchema, outbox: Outbox
) -> None:
    """More than is moved at once, in no order, among them what is refused; what comes due later stays behind."""
    keys = [f"{number:04}" for number in range(AT_ONCE + 200)]
    begin = utc_now() - LATER

    async def work(pool: Pool) -> None:
        async with pool.connection() as connection, connection.transaction():
            for key in sorted(keys, key=lambda key: key[::-1]):
                await delay(outbox, connection, begin + int(key) * timedelta(seconds=1), key)
        with schema.owner() as owner:
            for refused in ("0003", "0500", "0501"):
                owner.execute(
                    "update outbox_delayed set topic = 'gone' where aggregate_id = %s", [refused]
                )
        await publish_due(pool)

    in_schema(stack, schema, work)
    assert published(schema) == [key for key in keys if key not in {"0003", "0500", "0501"}]
    assert waiting(schema) == 3


def test_several_processes_publish_each_message_once(
    stack: RunningStack, schema: OutboxSchema, outbox: Outbox
) -> None:
    keys = [f"{number:04}" for number in range(1500)]

    async def work(pool: Pool) -> None:
        at = utc_now()
        async with (
            pool.connection() as connection,
            connection.transaction(),
            connection.pipeline(),
        ):
            for key in keys:
                await delay(outbox, connection, at, key)
        await asyncio.gather(*(publish_due(pool) for _ in range(4)))

    in_schema(stack, schema, work)
    assert sorted(published(schema)) == keys
    assert waiting(schema) == 0


def test_a_time_needs_a_zone(stack: RunningStack, schema: OutboxSchema, outbox: Outbox) -> None:
    async def work(pool: Pool) -> None:
        async with pool.connection() as connection, connection.transaction():
            with pytest.raises(ValueError, match=r"is 2030-01-01 .*, which has no time zone"):
                await delay(outbox, connection, datetime(2030, 1, 1), "k")  # noqa: DTZ001

    in_schema(stack, schema, work)


def test_the_service_may_not_change_what_is_kept_back(schema: OutboxSchema) -> None:
    with schema.connect() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update outbox_delayed set payload = ''")


def test_the_processes_of_a_service_see_to_it(stack: RunningStack) -> None:
    topic = create_topic(stack)
    declare_topic(stack, topic, "orders")
    message_id = new_id()
    with psycopg.connect(stack.database_url("orders")) as connection:
        connection.execute(
            "insert into outbox_delayed (id, not_before, due_at, topic, aggregate_type, aggregate_id, type, payload,"
            " correlation_id) select %s, at, at, %s, 'canary', 'k', 'canary.CanaryEmitted', 'x', gen_random_uuid()"
            " from (select clock_timestamp() + interval '1 second' as at) as due",
            [message_id, topic],
        )
    [record] = records_of(stack, topic, until=message_id)[str(message_id)]
    assert record.key == b"k"
    stack.cli("migrate")  # no outbox takes messages for a test's topic any more


def test_what_is_kept_back_is_counted_and_what_is_refused_is_told(stack: RunningStack) -> None:
    message_id = new_id()
    with psycopg.connect(stack.database_url("orders")) as connection:
        connection.execute(
            "insert into outbox_delayed (id, not_before, due_at, topic, aggregate_type, aggregate_id, type, payload,"
            " correlation_id) values (%s, now(), now(), 'no.such.topic', 'canary', 'k', 'x', 'x', gen_random_uuid())",
            [message_id],
        )
    try:
        wait_until(
            "it is not told of",
            lambda: "refuses 1 delayed message: " in stack.cli("outbox", "stats").stdout,
            timeout_s=30,
        )
        stats = json.loads(stack.cli("outbox", "stats", "--json").stdout)
        [delayed] = [each["delayed"] for each in stats["outboxes"] if each["schema"] == "orders"]
        assert (delayed["rows"], delayed["refused"]) == (1, 1)
        assert "no topic 'no.such.topic' is declared" in delayed["error"]
    finally:
        with psycopg.connect(stack.database_url("orders")) as connection:
            connection.execute("delete from outbox_delayed where id = %s", [message_id])
