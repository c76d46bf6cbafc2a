"""The command that changes what a message says: `parked edit`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import click

from consumers.runtime.parked.acting import Audit
from consumers.runtime.parked.assignments import Assignment
from consumers.runtime.parked.message import RecordPosition
from infra.cli.common import Command, ask, examples
from infra.cli.output import json_option, tell
from infra.cli.parked.options import acting, consumer_option, message_id_option, place_argument
from infra.cli.values import Existing, Parsed, content
from infra.deployment.current import load_deployment
from infra.operations.parked import edit as editing
from infra.operations.parked.edit import EditError, EditRequest
from schemas.json_form import FormError


@click.command(cls=Command)
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
    place: RecordPosition,
    consumer: str | None,
    message_id: UUID | None,
    assignments: Sequence[Assignment],
    path: Path | None,
    editor: bool,
    current_schema: bool,
    by: Audit,
) -> None:
    """Change what the message at PLACE says, as JSON; `tailrace parked show PLACE` shows it in the same form.

    It must fit the schema that it was written with, or nothing is changed. Bytes that cannot be decoded are replaced as
    a whole, by JSON of the schema that the announced type has now. What was delivered is kept. The next attempt takes
    the new value: `tailrace parked retry PLACE` asks for it now.
    """
    if [bool(assignments), path is not None, editor].count(True) != 1:
        raise click.UsageError("Say what to change, in one way: --set, --file or --editor.")
    request = EditRequest(
        place=place,
        consumer=consumer,
        message_id=message_id,
        change=_text(path) if path is not None else assignments or _open_editor,
        current_schema=current_schema,
        by=by,
    )
    result = editing.edit(load_deployment(), request)
    line = f"{place} says that already; nothing was changed."
    if result.changed:
        line = f"{place} is changed; `tailrace parked retry {place}` has it tried now."
    tell(result, [line])


def _text(path: Path) -> str:
    try:
        return content(path).decode()
    except UnicodeDecodeError as error:
        raise EditError(f"Nothing was changed: {error}.") from error


def _open_editor(text: str, problem: FormError | None) -> str | None:
    if problem is not None:
        if not sys.stdin.isatty():
            raise EditError(f"Nothing was changed: {problem}.") from problem
        if not ask(f"{problem}. Edit it again?", default=True):
            raise click.Abort
    return click.edit(text, extension=".json")
