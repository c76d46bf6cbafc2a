"""The command that shows the history of one aggregate: `events show`."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from cdc.database import Connection
from cdc.event_log import AsOf, BrokenLogError, LoggedEvent, State
from cdc.event_log.events import stream
from cdc.event_log.verification import unmoving
from cdc.text import printable
from consumers.replay.bounds import parse_moment
from consumers.runtime.parked.payload import Payloads, first_bytes
from infra.cli.output import json_option, print_json
from infra.cli.parked.text import counted
from infra.cli.schema.baseline import examples
from infra.cli.screen import style
from infra.cli.values import TEXT, Parsed
from infra.errors import TailraceError
from infra.event_logs import LoggedKind, event_log, logged_kinds, open_log
from infra.settings import Settings, load_settings
from schemas.datum import UndecodableError
from schemas.registry import RegistryUnavailableError, SchemaStore


class NoHistoryError(TailraceError):
    """The aggregate has not come so far, or nothing ever happened to it."""


@dataclass(slots=True)
class _History:
    """What is shown of an aggregate.

    Args:
        kind: Its kind.
        aggregate_id: Its identity.
        events: Each event that counts, with its payload as JSON.
        missing: Versions that the log lacks.
        state: What the events lead to; None where no fold is declared, or the log is broken.
        problem: Why there is no state.
    """

    kind: str
    aggregate_id: str
    events: list[dict[str, Any]] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    state: dict[str, Any] | None = None
    problem: str | None = None

    @property
    def is_sound(self) -> bool:
        return not self.missing and not any(event["problem"] for event in self.events)


def parse_as_of(text: str) -> AsOf:
    """Return the moment that a text names: a version, or a time in ISO 8601, local where it names no offset.

    Raises:
        ValueError: it is neither.
    """
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        if int(text) < 1:
            raise ValueError(f"{text!r} is no version: the first is 1")
        return AsOf(version=int(text))
    try:
        return AsOf(time=parse_moment(text, datetime.now(UTC)).astimezone(UTC))
    except ValueError as error:
        raise ValueError(f"{error}, nor a version such as 2") from None


AS_OF = Parsed("VERSION|TIME", parse_as_of)


@click.command()
@click.argument("kind", type=TEXT)
@click.argument("aggregate_id", type=TEXT, metavar="ID")
@click.option(
    "--as-of",
    "as_of",
    type=AS_OF,
    help="Only what had happened by then, and the state then; a time without an offset is local.",
)
@json_option
@click.pass_context
@examples(
    "tailrace events show order 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968",
    "tailrace events show order 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968 --as-of 1",
    "tailrace events show payment 0199d2b4-5f00-7d11-9b1e-5a7e0c2d4b61 --as-of 2026-11-23T10:00",
)
def show(
    context: click.Context,
    *,
    kind: str,
    aggregate_id: str,
    as_of: AsOf | None,
    as_json: bool,
) -> None:
    """Show what happened to one aggregate, oldest first: KIND is order or payment, ID names which.

    Payloads are shown as they were written. Where the service declares how a state follows from the events, as orders
    do, the state stands below them. Ends with 1 if the log has a hole or an event that cannot be read.
    """
    known = logged_kinds()
    if kind not in known:
        raise click.UsageError(f"No service keeps a log of {kind!r}; there are {', '.join(known)}.")
    reading = _read(load_settings(), known[kind], _normal(aggregate_id), as_of or AsOf())
    shown = asyncio.run(reading)
    if as_json:
        print_json(_as_json(shown))
    else:
        for line in _lines(shown):
            click.echo(line)
    context.exit(0 if shown.is_sound else 1)


async def _read(settings: Settings, kind: LoggedKind, aggregate_id: str, as_of: AsOf) -> _History:
    payloads = Payloads(SchemaStore(settings.registry_url, settings.schema_cache))
    shown = _History(kind.name, aggregate_id)
    async with open_log(settings, kind) as connection, unmoving(connection):
        parameters = {"kind": kind.name, "aggregate_id": aggregate_id, "from_version": 1}
        last, later = 0, False
        async with aclosing(stream(connection, "history", parameters)) as events:
            async for event in events:
                if not as_of.includes(event.aggregate_version, event.occurred_at):
                    later = True
                    break
                shown.missing += range(last + 1, event.aggregate_version)
                last = event.aggregate_version
                shown.events.append(_event(payloads, event))
        if not shown.events:
            raise NoHistoryError(_nothing(kind, aggregate_id, existed_later=later))
        if as_of.version is not None and last < as_of.version:
            raise NoHistoryError(
                f"{kind.name} {aggregate_id} is at version {last}, and has not come to {as_of.version} yet."
            )
        await _add_state(settings, kind, connection, shown, as_of)
    return shown


async def _add_state(
    settings: Settings, kind: LoggedKind, connection: Connection, shown: _History, as_of: AsOf
) -> None:
    if kind.fold is None:
        shown.problem = f"{kind.role} declares no state of a {kind.name} that follows from events"
        return
    try:
        state: State[Any] | None = await event_log(settings, kind.fold).state(
            connection, shown.aggregate_id, as_of
        )
    except (BrokenLogError, RegistryUnavailableError) as error:
        shown.problem = str(error)
        return
    if state is not None:
        shown.state = {"version": state.version, "value": kind.fold.to_json(state.value)}


def _nothing(kind: LoggedKind, aggregate_id: str, *, existed_later: bool) -> str:
    if existed_later:
        return f"{kind.name} {aggregate_id} did not exist yet; without --as-of its whole history is shown."
    return (
        f"The log of {kind.role} has no event of {kind.name} {aggregate_id}; "
        f"`tailrace topics tail {kind.name}.events` shows ids that it has."
    )


def _event(payloads: Payloads, event: LoggedEvent) -> dict[str, Any]:
    payload, problem = None, None
    try:
        payload = payloads.read(event.payload).value
    except (UndecodableError, RegistryUnavailableError) as error:
        problem = str(error)
    return {
        "version": event.aggregate_version,
        "occurred_at": event.occurred_at.astimezone(UTC).isoformat(),
        "type": event.type,
        "topic": event.topic,
        "message_id": str(event.id),
        "correlation_id": str(event.correlation_id),
        "causation_id": str(event.causation_id) if event.causation_id else None,
        "traceparent": event.traceparent,
        "payload": payload,
        "problem": problem,
        "bytes": first_bytes(event.payload) if problem else None,
    }


def _as_json(shown: _History) -> dict[str, Any]:
    return {
        "kind": shown.kind,
        "id": shown.aggregate_id,
        "events": shown.events,
        "missing_versions": shown.missing,
        "state": shown.state,
        "no_state_because": shown.problem,
    }


def _lines(shown: _History) -> Iterator[str]:
    yield f"{style(printable(f'{shown.kind} {shown.aggregate_id}'), bold=True)}  {counted(len(shown.events), 'event')}"
    missing = set(shown.missing)
    for event in shown.events:
        version = event["version"]
        gap = [number for number in range(version - 1, 0, -1) if number in missing]
        for number in reversed(gap):
            missing.discard(number)
            yield style(f"\n{number:>3}  is missing from the log", fg="red")
        # to the last digit, so that it can be handed to --as-of
        when = datetime.fromisoformat(event["occurred_at"]).astimezone().isoformat(" ")
        yield f"\n{version:>3}  {when}  {style(printable(event['type']), bold=True)}"
        yield f"     message {event['message_id']}, correlation {event['correlation_id']}"
        yield f"     caused by {event['causation_id'] or 'nothing before it'}"
        if event["problem"]:
            yield style(f"     not readable: {event['problem']}", fg="red")
            yield f"     {event['bytes']}"
        else:
            yield from _json_lines(event["payload"])
    if shown.state is not None:
        yield f"\n{style('state', bold=True)}  after version {shown.state['version']}"
        yield from _json_lines(shown.state["value"])
    elif shown.problem:
        yield f"\nNo state: {shown.problem}."


def _json_lines(value: Any) -> Iterator[str]:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return (f"     {line}" for line in text.split("\n"))


def _normal(aggregate_id: str) -> str:
    """Return an id as services write theirs: a UUID in lower case with dashes, anything else as it is."""
    try:
        return str(UUID(aggregate_id))
    except ValueError:
        return aggregate_id
