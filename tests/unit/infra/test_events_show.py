"""`tailrace events show`: what is missing is told where it should stand."""

from datetime import UTC, datetime
from uuid import UUID

from click import unstyle

from infra.cli.events import _lines
from infra.operations.events import Event, History


def event(version: int) -> Event:
    return Event(
        version=version,
        occurred_at=datetime(2026, 11, 28, tzinfo=UTC),
        type="orders.OrderCreated",
        topic="order.events",
        message_id=UUID(int=version),
        correlation_id=UUID(int=1),
        causation_id=None,
        traceparent=None,
        payload={},
        problem=None,
        bytes=None,
    )


def test_missing_versions_stand_before_the_event_that_follows_them() -> None:
    versions = (1, 4, 5, 7)
    found = History(
        kind="order", id="a", events=[*map(event, versions)], missing_versions=[2, 3, 6]
    )
    lines = map(unstyle, _lines(found))
    begins = [line.split()[0] for line in lines if line.startswith("\n")]
    assert begins == ["1", "2", "3", "4", "5", "6", "7"]
