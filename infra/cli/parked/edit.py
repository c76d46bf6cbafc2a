"""The command that changes what a message says: `parked edit`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from consumers.runtime.parked.acting import Actions, By
from consumers.runtime.parked.assignments import Assignment, changed
from consumers.runtime.parked.message import Parked, RecordPlace
from consumers.runtime.parked.payload import Payload, Payloads, Wire, parse_json
from consumers.runtime.parked.selection import Selection
from infra.cli.output import json_option, print_json
from infra.cli.parked.access import NotParkedError, one_at, open_desks
from infra.cli.parked.options import (
    acting,
    consumer_option,
    message_id_option,
    place_argument,
)
from infra.cli.schema.baseline import examples
from infra.cli.values import Existing, Parsed
from infra.errors import TailraceError
from infra.settings import load_settings
from schemas.datum import UndecodableError
from schemas.json_form import FormError
from schemas.registry import SchemaStore


class EditError(TailraceError):
    """A message cannot be changed in the way that was asked for; it stays as it was."""


@click.command()
@place_argument
@consumer_option
@message_id_option
@click.option(
    "--set",
    "assignments",
    type=Parsed("path=value", Assignment.parse),
    multiple=True,
    help="Another value for one field, such as currency=EUR or lines.0.quantity=2; may be repeated.",
)
@click.option(
    "--file",
    "path",
    type=Existing(allow_dash=True, dir_okay=False),
    help="The whole message as JSON; - reads it from standard input.",
)
@click.option("--editor", is_flag=True, help="Open the message as JSON in your editor.")
@click.option(
    "--current-schema",
    is_flag=True,
    help="Write it with the schema that its type has now, instead of the one it was written with.",
)
@acting
@json_option
@examples(
    "tailrace parked edit order.events/3/17 --set currency=EUR --why 'the shop sent a currency that ended'",
    "tailrace parked edit order.events/3/17 --editor --why 'two lines of the same article'",
    "tailrace parked show order.events/3/17 --json | jq .payload > new.json",
)
def edit(  # noqa: PLR0913 - one parameter per option
    *,
    place: RecordPlace,
    consumer: str | None,
    message_id: UUID | None,
    assignments: Sequence[Assignment],
    path: Path | None,
    editor: bool,
    current_schema: bool,
    by: By,
    as_json: bool,
) -> None:
    """Change what the message at PLACE says, as JSON; `tailrace parked show PLACE` shows it in the same form.

    It must fit the schema that it was written with, or nothing is changed. Bytes that cannot be decoded are replaced as
    a whole, by JSON of the schema that the announced type has now. What was delivered is kept. The next attempt takes
    the new value: `tailrace parked retry PLACE` asks for it now.
    """
    if [bool(assignments), path is not None, editor].count(True) != 1:
        raise click.UsageError("Say what to change, in one way: --set, --file or --editor.")
    settings = load_settings()
    with open_desks(settings, consumer) as desks:
        chosen = one_at(desks, place, Selection(consumer=consumer, message_id=message_id))
        message = chosen.message
        content = chosen.desk.messages.content(message)
        if content is None:
            raise NotParkedError(f"{place} has taken effect just now; nothing was changed.")
        payloads = Payloads(SchemaStore(settings.registry_url, settings.schema_cache))
        payload = _readable(payloads, message, content.value)
        wire = _wire(payloads, message, payload, current=current_schema)
        new_value = _edited(wire, payload, assignments, path)
        is_new = new_value != content.value
        if is_new:
            Actions(chosen.desk.connection, by).edit(message, content.value, new_value)
    if as_json:
        print_json({"place": str(place), "consumer": message.consumer, "changed": is_new})
    elif is_new:
        click.echo(f"{place} is changed; `tailrace parked retry {place}` has it tried now.")
    else:
        click.echo(f"{place} says that already; nothing was changed.")


def _readable(payloads: Payloads, message: Parked, value: bytes | None) -> Payload | None:
    """Return what a message says; None when it says nothing, or something else than its headers announce."""
    try:
        payload = payloads.read(value)
    except UndecodableError:
        return None
    announced = message.type is None or payload.wire.form.name == message.type
    return payload if announced else None


def _wire(payloads: Payloads, message: Parked, payload: Payload | None, *, current: bool) -> Wire:
    """Return the schema to write with."""
    if payload is not None and not current:
        return payload.wire
    type_ = message.type or (payload.wire.form.name if payload else None)
    if type_ is None:
        raise EditError(
            f"{message.place} says neither in its headers nor in its bytes what it is, so it cannot be checked: "
            "`tailrace parked skip` takes it out."
        )
    try:
        return payloads.current(type_)
    except LookupError as error:
        raise EditError(
            f"{message.place} cannot be written as {type_}, which is no message of this version: {error}."
        ) from error


def _edited(
    wire: Wire, payload: Payload | None, assignments: Sequence[Assignment], path: Path | None
) -> bytes:
    try:
        if path is not None:
            text = sys.stdin.read() if str(path) == "-" else path.read_text()
            return wire.encode(parse_json(text))
        if payload is None:
            raise EditError(
                "The message cannot be decoded, so single fields cannot be changed: give it as a whole with --file."
            )
        if assignments:
            return wire.encode(changed(wire.form, payload.value, assignments))
    except (FormError, UnicodeDecodeError) as error:
        raise EditError(f"Nothing was changed: {error}.") from error
    return _in_editor(wire, payload.value)


def _in_editor(wire: Wire, value: Any) -> bytes:
    """Have the message edited until it fits, so that no work is lost over a slip."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    while True:
        edited = click.edit(text, extension=".json")
        if edited is None:
            raise EditError("Nothing was changed: the editor was left without saving.")
        try:
            return wire.encode(parse_json(edited))
        except FormError as error:
            if not sys.stdin.isatty():
                raise EditError(f"Nothing was changed: {error}.") from error
            click.confirm(f"{error}. Edit it again?", abort=True, default=True)
            text = edited
