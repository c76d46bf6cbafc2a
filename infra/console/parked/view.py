"""What pages of parked messages show."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cdc.kafka_record import Headers
from consumers.runtime.parked.message import (
    Found,
    Group,
    Parked,
    RecordPosition,
    key_of,
    key_text,
)
from consumers.runtime.parked.payload import differences, first_bytes
from consumers.runtime.parked.reading import ParkedMessages
from consumers.runtime.parked.selection import Selection
from infra.console.board import Panel, Reading, Source
from infra.console.installation import Installation
from infra.console.pages import Pages
from infra.deployment import Deployment
from infra.operations.parked.list import list_messages
from infra.operations.parked.retry import RetryResult
from infra.operations.parked.show import DecodedValue, GoneView, ParkedView, show
from infra.schema_access import Schemas
from infra.services import CONSUMER_ROLES
from infra.text import counted, duration, one_line

MOST = 200


def sources(_installation: Installation, schemas: Schemas) -> tuple[Source, ...]:
    return (Source(name="parked", open=lambda: _groups(schemas), every_s=3.0),)


def panels(pages: Pages) -> tuple[Panel, ...]:
    def parked(readings: Mapping[str, Reading]) -> str:
        return pages.render("panel-parked.html", reading=readings["parked"])

    return (Panel(name="parked", sources=("parked",), render=parked),)


@contextmanager
def _groups(schemas: Schemas) -> Iterator[Callable[[], list[Group]]]:
    with schemas.opened() as connections:
        yield lambda: grouped([ParkedMessages(connections[role]) for role in CONSUMER_ROLES])


def grouped(schemas: Sequence[ParkedMessages]) -> list[Group]:
    """Return groups of what is first of its key, those first with most dead letters."""
    found = [each for schema in schemas for each in schema.groups()]
    return sorted(found, key=lambda each: (-each.dead, -each.retrying, each.consumer, each.type))


def selection(consumer: str, type: str, error: str, key: str) -> Selection:  # noqa: A002 - as fields are called
    return Selection(
        consumer=consumer or None,
        type=type or None,
        error=error or None,
        key=key_of(key) if key else None,
    )


def listed(deployment: Deployment, chosen: Selection) -> Found:
    return list_messages(deployment, chosen, MOST)


@dataclass(frozen=True, slots=True)
class One:
    """A message as it is parked, or as it was when somebody last did something about it."""

    view: ParkedView | GoneView

    @property
    def parked(self) -> Parked | None:
        return self.view.message if isinstance(self.view, ParkedView) else None

    @property
    def value(self) -> DecodedValue | None:
        return self.view.value

    @property
    def edits(self) -> list[tuple[str, Any, Any]]:
        """What stands elsewhere than when it was delivered: the place, what stood there, and what does now."""
        before = self.view.original if isinstance(self.view, ParkedView) else None
        if before is None or before.problem or self.value is None or self.value.problem:
            return []
        return list(differences(before.payload, self.value.payload))

    @property
    def first_bytes(self) -> str:
        data = self.value and self.value.data
        return first_bytes(data) if data else ""

    @property
    def headers(self) -> list[tuple[str, str | None]]:
        found: Headers = (
            self.view.content.headers
            if isinstance(self.view, ParkedView)
            else self.view.last.headers
        )
        return [(name, key_text(value)) for name, value in found]

    @property
    def traceback(self) -> str:
        if isinstance(self.view, ParkedView):
            return self.view.content.traceback
        return self.view.last.traceback

    @property
    def key(self) -> str | None:
        return key_text(self.parked.key if self.parked else self.view.last.key)  # type: ignore[union-attr]

    @property
    def status(self) -> str:
        return standing(self.parked, datetime.now(UTC)) if self.parked else "is not parked any more"


def one(deployment: Deployment, place: str, consumer: str, message_id: str) -> One:
    chosen = UUID(message_id) if message_id else None
    return One(show(deployment, RecordPosition.parse(place), consumer or None, chosen))


def standing(message: Parked, now: datetime) -> str:
    """Return what a message waits for."""
    if message.number > 1:
        return f"waits behind {counted(message.number - 1, 'message')} of its key"
    if message.next_attempt_at is None:
        return f"a dead letter after {counted(message.attempts, 'attempt')}"
    wait_s = int((message.next_attempt_at - now).total_seconds())
    when = f"in {duration(wait_s)}" if wait_s > 0 else "now"
    return f"failed {counted(message.attempts, 'time')}, tried again {when}"


def retried(result: RetryResult) -> Iterator[str]:
    """Say what became of a retry."""
    if not (result.due or result.busy):
        yield "Nothing was done: what was meant took effect, or was skipped, just before."
        return
    yield (
        f"{counted(result.due, 'message')} tried again: {result.took_effect} took effect, {len(result.failed)} failed "
        f"again, {result.waiting} still waiting."
    )
    for each in result.failed:
        yield f"{each.place} at {each.consumer}: {one_line(each.error_class, each.error_text)}"
    for consumer, trouble in result.not_running.items():
        yield f"{consumer} {trouble}: nothing is tried until it runs."
    if result.busy:
        yield f"{counted(len(result.busy), 'message')} left alone, held by a worker just now; try again in a moment."
