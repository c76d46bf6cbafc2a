"""The record that we, and the relay, make of an outbox row is the one that the connector makes of it."""

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import args_row

from cdc.envelope import COLUMNS, OutboxRow
from cdc.ids import new_id
from cdc.records import open_producer, record_of
from infra.services import OWNER
from tests.declaring import declare_topic
from tests.kafka import raw_records
from tests.produce import create_topic
from tests.relays.world import open_world
from tests.stack import RunningStack

MOMENTS = {
    "microseconds": datetime(2026, 3, 4, 5, 6, 7, 123456, tzinfo=UTC),
    "trailing-zeros": datetime(2026, 3, 4, 5, 6, 7, 120000, tzinfo=UTC),
    "leading-zeros": datetime(2026, 3, 4, 5, 6, 7, 45, tzinfo=UTC),
    "whole-second": datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    "whole-minute": datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
}


def insert(stack: RunningStack, occurred_at: datetime, **columns: object) -> OutboxRow:
    """Insert a row as of a moment of the test's choosing, which no service may, and return it as it was kept."""
    values = {
        "id": new_id(),
        "kind": "message",
        "topic": create_topic(stack, partitions=6),
        "aggregate_type": "canary",
        "aggregate_id": "Schlüssel " + str(new_id()),
        "type": "canary.CanaryEmitted",
        "payload": b"\x00\x00\x00\x00\x01bytes \xff",
        "correlation_id": new_id(),
        "occurred_at": occurred_at,
    } | columns
    names = sql.SQL(", ").join(map(sql.Identifier, values))
    holders = sql.SQL(", ").join(map(sql.Placeholder, values))
    owner = stack.database_url("tailrace_owner")
    with psycopg.connect(owner, options="-c search_path=canary") as connection:
        insertion = sql.SQL("insert into outbox ({}) values ({}) returning {}")
        cursor = connection.cursor(row_factory=args_row(OutboxRow))
        cursor.execute(insertion.format(names, holders, COLUMNS), values)
        [row] = cursor.fetchall()
    return row


@pytest.mark.parametrize("occurred_at", MOMENTS.values(), ids=MOMENTS)
def test_ours_is_the_connectors_record(stack: RunningStack, occurred_at: datetime) -> None:
    _require_equal(stack, insert(stack, occurred_at))


def test_every_header_may_have_a_value(stack: RunningStack) -> None:
    row = insert(
        stack,
        MOMENTS["microseconds"],
        kind="event",
        aggregate_version=1,
        causation_id=UUID("01a20999-13c2-7477-bc0d-7ecf0b47d38d"),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        source="/elsewhere",
        reply_to="some.replies",
        expires_at=datetime(2026, 3, 4, 5, 6, 7, 120000, tzinfo=UTC),
    )
    _require_equal(stack, row)


@pytest.mark.parametrize("expires_at", MOMENTS.values(), ids=MOMENTS)
def test_a_time_in_a_header_has_all_its_digits(stack: RunningStack, expires_at: datetime) -> None:
    _require_equal(stack, insert(stack, MOMENTS["whole-second"], expires_at=expires_at))


def test_the_relays_records_are_the_connectors(stack: RunningStack) -> None:
    """Both publish the same rows: the connector those of the canary, a relay copies of them in an outbox of its own."""
    rows = [insert(stack, moment) for moment in MOMENTS.values()]
    rows.append(
        insert(
            stack,
            MOMENTS["whole-second"],
            traceparent="00-0af7-b7ad-01",
            source="/elsewhere",
            reply_to="some.replies",
            expires_at=MOMENTS["leading-zeros"],
        )
    )
    rows.append(
        insert(
            stack, MOMENTS["microseconds"], kind="event", aggregate_version=1, causation_id=new_id()
        )
    )
    with open_world(stack) as world:
        for row in rows:
            declare_topic(stack, row.topic, world.outbox)
        with psycopg.connect(stack.database_url(OWNER)) as connection:
            connection.execute(
                sql.SQL(
                    "insert into {}.outbox (kind, aggregate_type, {columns}) overriding system value"
                    " select kind, aggregate_type, {columns} from canary.outbox where id = any(%s)"
                ).format(sql.Identifier(world.outbox), columns=COLUMNS),
                [[row.id for row in rows]],
            )
        theirs = [raw_records(stack, row.topic, message_id=row.id, count=1)[0] for row in rows]
        world.start(1)
        world.wait_published()
    for row, record in zip(rows, theirs, strict=True):
        assert raw_records(stack, row.topic, message_id=row.id, count=2) == [record, record]


def _require_equal(stack: RunningStack, row: OutboxRow) -> None:
    """Publish the row once more by ourselves, and compare both records, and where they lie."""
    [theirs] = raw_records(stack, row.topic, message_id=row.id, count=1)
    ours = record_of(row)
    producer = open_producer(stack.settings.kafka_bootstrap)
    producer.produce(ours.topic, ours.value, ours.key, headers=list(ours.headers))
    assert producer.flush(30) == 0
    assert raw_records(stack, row.topic, message_id=row.id, count=2) == [theirs, theirs]
