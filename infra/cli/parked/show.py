"""The command that shows everything about one message: `parked show`."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from cdc.text import printable
from consumers.runtime.delivery import Headers
from consumers.runtime.parked.message import Action, Content, Parked, RecordPlace, key_text
from consumers.runtime.parked.payload import Payloads, differences, first_bytes
from consumers.runtime.parked.selection import Selection
from infra.cli.output import json_option, print_json
from infra.cli.parked.access import Chosen, Desk, at_place, one_at, open_desks, refuse_several
from infra.cli.parked.options import consumer_option, message_id_option, place_argument
from infra.cli.parked.text import (
    action_as_json,
    action_line,
    age,
    as_json,
    counted,
    local,
    status,
)
from infra.cli.schema.baseline import examples
from infra.cli.screen import style
from infra.settings import Settings, load_settings
from schemas.datum import UndecodableError
from schemas.registry import RegistryUnavailableError, SchemaStore

OTHERS_SHOWN = 10


@click.command()
@place_argument
@consumer_option
@message_id_option
@json_option
@examples(
    "tailrace parked show order.events/3/17",
    "tailrace parked show order.events/3/17 --consumer payments-worker --json",
)
def show(
    *, place: RecordPlace, consumer: str | None, message_id: UUID | None, as_json: bool
) -> None:
    """Show everything about the message at PLACE: headers, payload, error, and what was done about it.

    One that is not parked any more is shown as it was when somebody last did something about it.
    """
    settings = load_settings()
    selection = Selection(consumer=consumer, message_id=message_id)
    with open_desks(settings, consumer) as desks:
        chosen = at_place(desks, place, selection)
        actions = [
            action
            for desk in desks
            for action in desk.messages.actions(consumer=consumer, place=place)
            if message_id in {None, action.message_id}
        ]
        told: _Told
        if chosen or not actions:
            told = _parked(settings, one_at(desks, place, selection), actions)
        else:
            refuse_several(place, sorted({action.consumer for action in actions}))
            told = _gone(settings, actions)
    if as_json:
        print_json(told.as_json)
    else:
        for line in told.lines:
            click.echo(line)


class _Told:
    """What is told of a message, for people and for machines."""

    def __init__(self, lines: Sequence[str], as_json: dict[str, Any]) -> None:
        self.lines = lines
        self.as_json = as_json


class _Value:
    """A record value and what it says, as far as that can be told."""

    def __init__(self, payloads: Payloads, data: bytes | None) -> None:
        self.data = data
        self.problem: str | None = None
        self.says: Any = None
        self.schema = ""
        try:
            payload = payloads.read(data)
        except (UndecodableError, RegistryUnavailableError) as error:
            self.problem = str(error)
        else:
            self.says = payload.value
            self.schema = f"{payload.wire.form.name}, schema id {payload.wire.schema_id}"

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": self.schema or None,
            "payload": self.says,
            "problem": self.problem,
            "hex": self.data.hex() if self.problem and self.data is not None else None,
        }

    def lines(self, heading: str) -> Iterator[str]:
        if self.problem is None:
            yield from _section(f"{heading}, as written with {self.schema}")
            yield from _indented(json.dumps(self.says, indent=2, ensure_ascii=False))
            return
        yield from _section(heading)
        yield f"  cannot be decoded: {self.problem}"
        if self.data is not None:
            yield f"  {counted(len(self.data), 'byte')}: {first_bytes(self.data)}"


def _parked(settings: Settings, chosen: Chosen, actions: Sequence[Action]) -> _Told:
    message, payloads = chosen.message, _payloads(settings)
    content = _content(chosen.desk, message)
    others = chosen.desk.messages.others(message, OTHERS_SHOWN)
    value = _Value(payloads, content.value)
    original = _Value(payloads, content.original_value) if message.edited else None
    about = [
        action
        for action in actions
        if (action.consumer, action.message_id) == (message.consumer, message.message_id)
    ]
    lines = [
        *_facts(message),
        *_headers(content.headers),
        *value.lines("payload"),
        *(original.lines("payload before it was edited") if original else ()),
        *_error(message.error_class, content),
        *_others(message, others),
        *_history(payloads, about),
    ]
    document = as_json(message) | {
        "headers": _header_pairs(content.headers),
        **value.as_json(),
        "original": original.as_json() if original else None,
        "error_text": content.error_text,
        "traceback": content.traceback,
        "others_of_its_key": [{"place": str(place), "type": type_} for place, type_ in others],
        "history": [_action_as_json(payloads, action) for action in about],
    }
    return _Told(lines, document)


def _gone(settings: Settings, actions: Sequence[Action]) -> _Told:
    """Tell of a message that is not parked any more: what it was, if somebody skipped it, and what was done."""
    last, payloads = actions[0], _payloads(settings)
    fate = "was skipped" if last.action == "skip" else "is not parked any more"
    lines = [
        f"{style(printable(last.type or 'of no known type'), bold=True)}  {last.place}  {fate}",
        *_fact("consumer", last.consumer),
        *_fact("key", key_text(last.key) or "none"),
        *_fact("recorded", local(last.recorded_at)),
        *_fact("reason", last.reason),
        *_headers(last.headers),
    ]
    document = action_as_json(last) | {
        "status": "skipped" if last.action == "skip" else "gone",
        "headers": _header_pairs(last.headers),
        "history": [_action_as_json(payloads, action) for action in actions],
    }
    if last.action == "skip":
        value = _Value(payloads, last.value)
        lines += value.lines("payload")
        document |= value.as_json()
    content = Content(
        headers=last.headers,
        value=last.value,
        original_value=None,
        error_text=last.error_text,
        traceback=last.traceback,
    )
    return _Told(
        [*lines, *_error(last.error_class, content), *_history(payloads, actions)], document
    )


def _content(desk: Desk, message: Parked) -> Content:
    content = desk.messages.content(message)
    if content is None:  # it has taken effect since it was found
        raise click.ClickException(f"{message.place} has taken effect just now.")
    return content


def _payloads(settings: Settings) -> Payloads:
    return Payloads(SchemaStore(settings.registry_url, settings.schema_cache))


def _facts(message: Parked) -> Iterator[str]:
    now = datetime.now(UTC)
    yield f"{style(printable(message.type or 'of no known type'), bold=True)}  {message.place}"
    yield from _fact("consumer", message.consumer)
    yield from _fact("key", key_text(message.key) or "none")
    yield from _fact("message id", str(message.message_id or "none that can be used"))
    yield from _fact("recorded", f"{local(message.recorded_at)}, {age(message.recorded_at, now)}")
    yield from _fact("parked", f"{local(message.parked_at)}, {age(message.parked_at, now)}")
    if message.failed_at:
        yield from _fact(
            "last failed", f"{local(message.failed_at)}, {age(message.failed_at, now)}"
        )
    yield from _fact("status", status(message, now))
    yield from _fact("reason", message.reason)
    if message.edited:
        yield from _fact("edited", "yes; the original is kept")


def _fact(name: str, value: str) -> Iterator[str]:
    yield f"  {name:<11} {printable(value)}"


def _headers(headers: Headers) -> Iterator[str]:
    yield from _section("headers")
    for name, value in _header_pairs(headers):
        yield f"  {printable(name)}: {'without a value' if value is None else value}"


def _header_pairs(headers: Headers) -> list[tuple[str, str | None]]:
    return [(name, key_text(value)) for name, value in headers]


def _error(error_class: str, content: Content) -> Iterator[str]:
    if error_class:
        yield from _section("error")
        yield from _indented(content.traceback or f"{error_class}: {content.error_text}")


def _others(message: Parked, others: Sequence[tuple[RecordPlace, str | None]]) -> Iterator[str]:
    if not others:
        return
    yield from _section("others of its key")
    for place, type_ in others:
        yield f"  {place}  {printable(type_ or 'of no known type')}"
    more = message.number - 1 + message.behind - len(others)
    if more > 0:
        yield f"  and {more} more"


def _history(payloads: Payloads, actions: Sequence[Action]) -> Iterator[str]:
    if not actions:
        return
    yield from _section("done about it")
    for action in actions:
        yield f"  {action_line(action, of_one_message=True)}"
        if action.action == "edit":
            before, after = _Value(payloads, action.value), _Value(payloads, action.new_value)
            if before.problem:
                yield "      the bytes, which could not be decoded, were replaced as a whole"
                continue
            for where, old, new in differences(before.says, after.says):
                yield f"      {where}: {json.dumps(old)} -> {json.dumps(new)}"


def _action_as_json(payloads: Payloads, action: Action) -> dict[str, Any]:
    document = action_as_json(action)
    if action.action == "edit":
        document["before"] = _Value(payloads, action.value).as_json()
        document["after"] = _Value(payloads, action.new_value).as_json()
    return document


def _section(heading: str) -> Iterator[str]:
    yield ""
    yield style(heading, bold=True)


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}" for line in text.splitlines())
