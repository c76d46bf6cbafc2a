"""The envelope: from one list follow columns, headers, statements and documents."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from cdc.connector.config import ConnectorSettings, render
from cdc.envelope import HEADERS, WRITTEN, OutboxRow, headers_of
from cdc.sql import load_queries
from infra.asyncapi import document
from schemas.catalogue import catalogue

ROW = OutboxRow(
    seq=7,
    topic="a.commands",
    aggregate_id="k",
    payload=b"\0",
    id=UUID(int=1),
    type="a.DoIt",
    source="/b",
    specversion="1.0",
    occurred_at=datetime(2026, 3, 4, 5, 6, 7, 120, tzinfo=timezone(timedelta(hours=2))),
    correlation_id=UUID(int=2),
    reply_to="b.replies",
    expires_at=datetime(2026, 3, 4, tzinfo=UTC),
)


def test_headers_are_told_in_text() -> None:
    assert dict(headers_of(ROW)) == {
        "ce_id": str(UUID(int=1)).encode(),
        "ce_type": b"a.DoIt",
        "ce_source": b"/b",
        "ce_specversion": b"1.0",
        "ce_time": b"2026-03-04T03:06:07.000120Z",
        "correlation_id": str(UUID(int=2)).encode(),
        "causation_id": None,
        "aggregate_version": None,
        "traceparent": None,
        "reply_to": b"b.replies",
        "expires_at": b"2026-03-04T00:00:00.000000Z",
    }


def test_every_header_is_where_it_is_needed() -> None:
    names = [header.name for header in HEADERS]
    placement = render(
        ConnectorSettings(
            host="h", port=1, database="d", user="u", password="${p}", publication="p"
        )
    )["transforms.outbox.table.fields.additional.placement"]
    assert [each.rpartition(":")[2] for each in placement.split(",")] == names
    described = document(catalogue(), "1")["components"]["messageTraits"]["outbox"]["headers"]
    assert list(described["properties"]) == names
    assert described["required"] == [
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_specversion",
        "ce_time",
        "correlation_id",
    ]
    for package, query in (("cdc", "append_one"), ("cdc", "append_many"), ("cdc", "delay")):
        statement = load_queries(package)[query].decode()
        assert all(column in statement for column in WRITTEN), query
    for package, query in (("cdc.relay", "unpublished"), ("consumers.replay", "log_records")):
        statement = load_queries(package)[query].decode()
        assert all(header.column in statement for header in HEADERS), query
