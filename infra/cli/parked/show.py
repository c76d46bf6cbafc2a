"""The command that shows everything about one message: `parked show`."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from cdc.kafka_record import Headers
from cdc.text import printable
from consumers.runtime.parked.message import RecordPosition, key_text
from consumers.runtime.parked.payload import differences, first_bytes
from infra.cli.common import Command, examples
from infra.cli.output import json_option, tell
from infra.cli.parked.options import consumer_option, message_id_option, place_argument
from infra.cli.parked.text import action_as_json, action_line, message_as_json, status
from infra.cli.screen import style
from infra.deployment.current import load_deployment
from infra.operations.parked import show as showing
from infra.operations.parked.show import DecodedAction, DecodedValue, GoneView, ParkedView
from infra.text import age, counted, local


@click.command(cls=Command)
@place_argument
@consumer_option
@message_id_option
@json_option
@examples(
    "tailrace parked show order.events/3/17",
    "tailrace parked show order.events/3/17 --consumer payments-worker --json",
)
def show(*, place: RecordPosition, consumer: str | None, message_id: UUID | None) -> None:
    """Show everything about the message at PLACE: headers, payload, error, and what was done about it.

    One that is not parked any more is shown as it was when somebody last did something about it.
    """
    view = showing.show(load_deployment(), place, consumer, message_id)
    if isinstance(view, ParkedView):
        tell(_parked_as_json(view), _parked(view))
    else:
        tell(_gone_as_json(view), _gone(view))


def _parked(view: ParkedView) -> Iterator[str]:
    message, content = view.message, view.content
    yield from _facts(view)
    yield from _headers(content.headers)
    yield from _value("payload", view.value)
    if view.original:
        yield from _value("payload before it was edited", view.original)
    yield from _error(message.error_class, content.error_text, content.traceback)
    yield from _others(view)
    yield from _history(view.history)


def _parked_as_json(view: ParkedView) -> dict[str, Any]:
    return message_as_json(view.message) | {
        "headers": _header_pairs(view.content.headers),
        **_value_as_json(view.value),
        "original": view.original and _value_as_json(view.original),
        "error_text": view.content.error_text,
        "traceback": view.content.traceback,
        "others_of_its_key": [{"place": str(place), "type": type_} for place, type_ in view.others],
        "history": list(map(_action_as_json, view.history)),
    }


def _gone(view: GoneView) -> Iterator[str]:
    last = view.last
    fate = "was skipped" if last.action == "skip" else "is not parked any more"
    yield f"{style(printable(last.type or 'of no known type'), bold=True)}  {last.place}  {fate}"
    yield _fact("consumer", last.consumer)
    yield _fact("key", key_text(last.key) or "none")
    yield _fact("recorded", local(last.recorded_at))
    yield _fact("reason", last.reason)
    yield from _headers(last.headers)
    if view.value:
        yield from _value("payload", view.value)
    yield from _error(last.error_class, last.error_text, last.traceback)
    yield from _history(view.history)


def _gone_as_json(view: GoneView) -> dict[str, Any]:
    document = action_as_json(view.last) | {
        "status": "skipped" if view.last.action == "skip" else "gone",
        "headers": _header_pairs(view.last.headers),
        "history": list(map(_action_as_json, view.history)),
    }
    return document | (_value_as_json(view.value) if view.value else {})


def _facts(view: ParkedView) -> Iterator[str]:
    message, now = view.message, datetime.now(UTC)
    yield f"{style(printable(message.type or 'of no known type'), bold=True)}  {message.place}"
    yield _fact("consumer", message.consumer)
    yield _fact("key", key_text(message.key) or "none")
    yield _fact("message id", str(message.message_id or "none that can be used"))
    moments = {
        "recorded": message.recorded_at,
        "parked": message.parked_at,
        "last failed": message.failed_at,
    }
    for name, moment in moments.items():
        if moment:
            yield _fact(name, f"{local(moment)}, {age(moment, now)}")
    yield _fact("status", status(message, now))
    yield _fact("reason", message.reason)
    if message.edited:
        yield _fact("edited", "yes; the original is kept")


def _fact(name: str, value: str) -> str:
    return f"  {name:<11} {printable(value)}"


def _headers(headers: Headers) -> Iterator[str]:
    yield from _section("headers")
    for name, value in _header_pairs(headers):
        yield f"  {printable(name)}: {'without a value' if value is None else value}"


def _header_pairs(headers: Headers) -> list[tuple[str, str | None]]:
    return [(name, key_text(value)) for name, value in headers]


def _value(heading: str, value: DecodedValue) -> Iterator[str]:
    if value.problem is None:
        yield from _section(f"{heading}, as written with {value.schema}")
        yield from _indented(json.dumps(value.payload, indent=2, ensure_ascii=False))
        return
    yield from _section(heading)
    yield f"  cannot be decoded: {value.problem}"
    if value.data is not None:
        yield f"  {counted(len(value.data), 'byte')}: {first_bytes(value.data)}"


def _value_as_json(value: DecodedValue) -> dict[str, Any]:
    return {
        "schema": value.schema or None,
        "payload": value.payload,
        "problem": value.problem,
        "hex": value.data.hex() if value.problem and value.data is not None else None,
    }


def _error(error_class: str, error_text: str, traceback: str) -> Iterator[str]:
    if error_class:
        yield from _section("error")
        yield from _indented(traceback or f"{error_class}: {error_text}")


def _others(view: ParkedView) -> Iterator[str]:
    if not view.others:
        return
    yield from _section("others of its key")
    for place, type_ in view.others:
        yield f"  {place}  {printable(type_ or 'of no known type')}"
    more = view.message.number - 1 + view.message.behind - len(view.others)
    if more > 0:
        yield f"  and {more} more"


def _history(history: Sequence[DecodedAction]) -> Iterator[str]:
    if not history:
        return
    yield from _section("done about it")
    for each in history:
        yield f"  {action_line(each.action, of_one_message=True)}"
        if each.before and each.after:
            if each.before.problem:
                yield "      the bytes, which could not be decoded, were replaced as a whole"
                continue
            for where, old, new in differences(each.before.payload, each.after.payload):
                yield f"      {where}: {json.dumps(old)} -> {json.dumps(new)}"


def _action_as_json(each: DecodedAction) -> dict[str, Any]:
    document = action_as_json(each.action)
    if each.before and each.after:
        document["before"] = _value_as_json(each.before)
        document["after"] = _value_as_json(each.after)
    return document


def _section(heading: str) -> Iterator[str]:
    yield ""
    yield style(heading, bold=True)


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}" for line in text.splitlines())
