"""The history of one aggregate, out of the event log, and the state that it leads to."""

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cdc.database import Connection
from cdc.event_log import AsOf, BrokenLogError, LoggedEvent
from cdc.event_log.events import stream
from cdc.event_log.verification import repeatable_read
from consumers.replay.bounds import parse_moment
from consumers.runtime.parked.payload import Payloads, first_bytes
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.event_logs import LoggedAggregate, event_log, logged_kinds, open_log
from infra.text import plain_id
from schemas.datum import UndecodableError
from schemas.registry import RegistryUnavailableError, SchemaStore


class NoHistoryError(TailraceError):
    """The aggregate has not come so far, or nothing ever happened to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequest:
    """An aggregate, and the last version or time of its history that counts."""

    kind: str
    aggregate_id: str
    as_of: AsOf = field(default_factory=AsOf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event with its payload as JSON; where that cannot be read, why, and the first bytes."""

    version: int
    occurred_at: datetime
    type: str
    topic: str
    message_id: UUID
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None
    payload: Any
    problem: str | None
    bytes: str | None


@dataclass(slots=True)
class History:
    """What happened to an aggregate."""

    kind: str
    id: str
    events: list[Event] = field(default_factory=list)
    missing_versions: list[int] = field(default_factory=list)
    state: dict[str, Any] | None = None
    no_state_because: str | None = None

    @property
    def is_sound(self) -> bool:
        return not self.missing_versions and not any(event.problem for event in self.events)


def parse_as_of(text: str) -> AsOf:
    """Return the moment that a text names: a version, or a time in ISO 8601, local where it names no offset."""
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        if int(text) < 1:
            raise ValueError(f"{text!r} is no version: the first is 1")
        return AsOf(version=int(text))
    try:
        return AsOf(time=parse_moment(text, datetime.now(UTC)).astimezone(UTC))
    except ValueError as error:
        raise ValueError(f"{error}, nor a version such as 2") from None


def history(deployment: Deployment, request: HistoryRequest) -> History:
    """Read the history of an aggregate; NoHistoryError when there is none at that version or time."""
    known = logged_kinds()
    if request.kind not in known:
        raise RequestError(
            f"No service keeps a log of {request.kind!r}; there are {', '.join(known)}."
        )
    aggregate_id = plain_id(request.aggregate_id)
    return asyncio.run(_read(deployment, known[request.kind], aggregate_id, request.as_of))


async def _read(
    deployment: Deployment, kind: LoggedAggregate, aggregate_id: str, as_of: AsOf
) -> History:
    payloads = Payloads(SchemaStore(deployment.registry, deployment.schema_cache))
    found = History(kind.name, aggregate_id)
    async with open_log(deployment, kind) as connection, repeatable_read(connection):
        parameters = {"kind": kind.name, "aggregate_id": aggregate_id, "from_version": 1}
        last, later = 0, False
        async with aclosing(stream(connection, "history", parameters)) as events:
            async for event in events:
                if not as_of.includes(event.aggregate_version, event.occurred_at):
                    later = True
                    break
                found.missing_versions += range(last + 1, event.aggregate_version)
                last = event.aggregate_version
                found.events.append(_event(payloads, event))
        if not found.events:
            raise NoHistoryError(_nothing(kind, aggregate_id, existed_later=later))
        if as_of.version is not None and last < as_of.version:
            raise NoHistoryError(
                f"{kind.name} {aggregate_id} is at version {last}, and has not come to {as_of.version} yet."
            )
        await _add_state(deployment, kind, connection, found, as_of)
    return found


async def _add_state(
    deployment: Deployment,
    kind: LoggedAggregate,
    connection: Connection,
    found: History,
    as_of: AsOf,
) -> None:
    if kind.fold is None:
        found.no_state_because = (
            f"{kind.role} declares no state of a {kind.name} that follows from events"
        )
        return
    try:
        state = await event_log(deployment, kind.fold).state(connection, found.id, as_of)
    except (BrokenLogError, RegistryUnavailableError) as error:
        found.no_state_because = str(error)
        return
    if state is not None:
        found.state = {"version": state.version, "value": kind.fold.to_json(state.value)}


def _nothing(kind: LoggedAggregate, aggregate_id: str, *, existed_later: bool) -> str:
    if existed_later:
        return f"{kind.name} {aggregate_id} did not exist yet; without --as-of its whole history is shown."
    return (
        f"The log of {kind.role} has no event of {kind.name} {aggregate_id}; "
        f"`tailrace topics tail {kind.name}.events` shows ids that it has."
    )


def _event(payloads: Payloads, event: LoggedEvent) -> Event:
    payload, problem = None, None
    try:
        payload = payloads.read(event.payload).value
    except (UndecodableError, RegistryUnavailableError) as error:
        problem = str(error)
    return Event(
        version=event.aggregate_version,
        occurred_at=event.occurred_at.astimezone(UTC),
        type=event.type,
        topic=event.topic,
        message_id=event.id,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        traceparent=event.traceparent,
        payload=payload,
        problem=problem,
        bytes=first_bytes(event.payload) if problem else None,
    )
