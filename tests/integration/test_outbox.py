"""The outbox on a real Postgres: what commits together, what is refused, and what reaches Kafka."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, NotNullViolation, UndefinedTable

from cdc.context import MessageContext
from cdc.database import Connection
from cdc.ids import new_id
from cdc.outbox import ConcurrencyError, Outbox, OutsideTransactionError
from schemas.messages.canary import CanaryEmitted
from tests.kafka import records_of
from tests.stack import RunningStack

T = TypeVar("T")


@pytest.fixture
def outbox(stack: RunningStack) -> Outbox:
    settings = stack.settings
    return Outbox.open(settings.registry_url, settings.schema_cache, [CanaryEmitted])


def sign(canary_id: UUID) -> CanaryEmitted:
    """An event that no consumer takes, so that no other test is disturbed."""
    return CanaryEmitted(canary_id=canary_id, emitted_at=datetime.now(UTC))


def context() -> MessageContext:
    return MessageContext(correlation_id=new_id())


async def append(outbox: Outbox, connection: Connection, canary_id: UUID, after: int = 0) -> UUID:
    [message_id] = await outbox.append(
        connection,
        [sign(canary_id)],
        aggregate_id=str(canary_id),
        after_version=after,
        context=context(),
    )
    return message_id


def as_canary(stack: RunningStack, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run something on a connection of the canary role, and commit."""

    async def run() -> T:
        url = stack.database_url("canary")
        async with await psycopg.AsyncConnection.connect(url) as connection:
            return await work(connection)

    return asyncio.run(run())


def test_a_rolled_back_transaction_publishes_nothing(stack: RunningStack, outbox: Outbox) -> None:
    async def roll_back_then_commit(connection: Connection) -> tuple[UUID, UUID]:
        rolled_back = await append(outbox, connection, new_id())
        await connection.rollback()
        return rolled_back, await append(outbox, connection, new_id())

    rolled_back, committed = as_canary(stack, roll_back_then_commit)
    seen = records_of(stack, "canary.events", until=committed)
    assert str(committed) in seen
    assert str(rolled_back) not in seen


def test_a_record_carries_key_bytes_and_cloudevents_headers(
    stack: RunningStack, outbox: Outbox
) -> None:
    canary_id, about = new_id(), context().next_span()
    event = sign(canary_id)

    async def commit(connection: Connection) -> tuple[UUID, bytes]:
        [message_id] = await outbox.append(
            connection, [event], aggregate_id=str(canary_id), after_version=0, context=about
        )
        cursor = await connection.execute("select payload from outbox where id = %s", [message_id])
        [payload] = await cursor.fetchone() or [b""]
        return message_id, payload

    message_id, payload = as_canary(stack, commit)
    record = records_of(stack, "canary.events", until=message_id)[str(message_id)][0]
    assert record.key == str(canary_id).encode()
    assert record.value == payload
    assert record.headers.pop("ce_time") is not None
    assert record.headers == {
        "ce_id": str(message_id),
        "ce_type": "canary.CanaryEmitted",
        "ce_source": "/canary",
        "ce_specversion": "1.0",
        "correlation_id": str(about.correlation_id),
        "causation_id": None,
        "aggregate_version": "1",
        "traceparent": about.traceparent,
        "reply_to": None,
        "expires_at": None,
    }


def test_messages_that_others_write_to_the_wal_are_left_out_and_hold_nothing_up(
    stack: RunningStack, outbox: Outbox
) -> None:
    """As records they would go to a topic that does not exist, and the connector would wait for it for ever."""

    async def commit_after_a_foreign_message(connection: Connection) -> UUID:
        for in_transaction in (True, False):
            await connection.execute(
                "select pg_logical_emit_message(%s, 'foreign', 'not ours')", [in_transaction]
            )
        return await append(outbox, connection, new_id())

    committed = as_canary(stack, commit_after_a_foreign_message)
    assert str(committed) in records_of(stack, "canary.events", until=committed)


def test_two_writers_racing_on_one_aggregate_give_one_winner(
    stack: RunningStack, outbox: Outbox
) -> None:
    canary_id = new_id()
    both_decided = asyncio.Barrier(2)

    async def write() -> UUID:
        url = stack.database_url("canary")
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await both_decided.wait()
            return await append(outbox, connection, canary_id)

    async def race() -> Sequence[UUID | BaseException]:
        return await asyncio.gather(write(), write(), return_exceptions=True)

    outcomes = asyncio.run(race())
    assert [type(outcome) for outcome in outcomes].count(UUID) == 1
    assert [type(outcome) for outcome in outcomes].count(ConcurrencyError) == 1
    count = "select count(*) from outbox_event where aggregate_id = %s"
    with psycopg.connect(
        stack.database_url("tailrace_owner"), options="-c search_path=canary"
    ) as db:
        assert db.execute(count, [str(canary_id)]).fetchone() == (1,)


def test_of_rows_and_events_sent_in_a_pipeline_all_are_kept_or_none(
    stack: RunningStack, outbox: Outbox
) -> None:
    lost, kept = new_id(), new_id()

    async def write_both(connection: Connection, canary_id: UUID, row: bytes) -> UUID:
        async with outbox.pipeline(connection):
            message_id = await append(outbox, connection, canary_id)
            await connection.execute(row)
        return message_id

    async def write(connection: Connection) -> UUID:
        with pytest.raises(UndefinedTable):
            await write_both(connection, lost, b"insert into nowhere values (1)")
        await connection.rollback()
        return await write_both(connection, kept, b"select 1")

    records = records_of(stack, "canary.events", until=as_canary(stack, write)).values()
    seen = {record.key for copies in records for record in copies}
    assert str(kept).encode() in seen
    assert str(lost).encode() not in seen


def test_a_connection_in_autocommit_is_refused(stack: RunningStack, outbox: Outbox) -> None:
    async def use(connection: Connection) -> None:
        await connection.set_autocommit(True)
        with pytest.raises(OutsideTransactionError):
            await append(outbox, connection, new_id())
        async with connection.transaction():
            await append(outbox, connection, new_id())

    as_canary(stack, use)


@pytest.mark.parametrize(
    "statement",
    [
        "update outbox set type = 'x'",
        "delete from outbox",
        "truncate outbox",
        "select * from orders.outbox",
        "insert into orders.customer_order default values",
        "create table mine (i int)",
        "create table public.mine (i int)",
    ],
)
def test_the_service_role_may_only_add_to_its_own_outbox(
    stack: RunningStack, statement: str
) -> None:
    with (
        psycopg.connect(stack.database_url("canary")) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


def test_the_capture_role_reads_no_table(stack: RunningStack) -> None:
    url = stack.database_url("tailrace_capture")
    with psycopg.connect(url) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("select * from orders.outbox")


def test_a_message_without_a_payload_is_refused(stack: RunningStack) -> None:
    with (
        psycopg.connect(stack.database_url("canary")) as connection,
        pytest.raises(NotNullViolation),
    ):
        connection.execute(
            "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type,"
            " payload, correlation_id) values (%s, 'event', 'canary.events', 'a', 'b', 1, 'c', null, %s)",
            [new_id(), new_id()],
        )
