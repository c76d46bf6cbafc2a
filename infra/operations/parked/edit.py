"""Changing what a parked message says."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from consumers.runtime.parked.acting import Actions, Audit
from consumers.runtime.parked.assignments import Assignment, changed
from consumers.runtime.parked.message import Parked, RecordPosition
from consumers.runtime.parked.payload import Payload, Payloads, Wire, parse_json
from consumers.runtime.parked.selection import Selection
from infra.deployment import Deployment
from infra.errors import TailraceError
from infra.operations.parked.messages import NotParkedError, one_at, open_parked
from schemas.datum import UndecodableError
from schemas.json_form import FormError
from schemas.registry import SchemaStore

Editor = Callable[[str, FormError | None], str | None]
"""Is handed the message as JSON, and from the second time on what was wrong with it; None leaves it as it is."""


class EditError(TailraceError):
    """A message cannot be changed in the way that was asked for; it stays as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """What is changed in the message at a place."""

    place: RecordPosition
    consumer: str | None = None
    message_id: UUID | None = None
    change: Sequence[Assignment] | str | Editor
    based_on: str | None = (
        None  # SHA-256 of the value that was changed, where that was seen earlier
    )
    current_schema: bool = False
    by: Audit


@dataclass(frozen=True, slots=True)
class EditResult:
    """Whether a message was changed; it may have said the same before."""

    place: str
    consumer: str
    changed: bool


def edit(deployment: Deployment, request: EditRequest) -> EditResult:
    """Change a message; EditError when the result does not fit its schema, and nothing is changed."""
    place = request.place
    with open_parked(deployment, request.consumer) as schemas:
        selection = Selection(consumer=request.consumer, message_id=request.message_id)
        selected = one_at(schemas, place, selection)
        message = selected.message
        content = selected.schema.content(message)
        if content is None:
            raise NotParkedError(f"{place} has taken effect just now; nothing was changed.")
        _require_unchanged(request, content.value)
        payloads = Payloads(SchemaStore(deployment.registry, deployment.schema_cache))
        payload = _readable(payloads, message, content.value)
        wire = _wire(payloads, message, payload, current=request.current_schema)
        new_value = _edited(wire, payload, request.change)
        is_new = new_value != content.value
        if is_new:
            Actions(selected.schema.connection, request.by).edit(message, content.value, new_value)
    return EditResult(str(place), message.consumer, is_new)


def _require_unchanged(request: EditRequest, value: bytes | None) -> None:
    if request.based_on not in {None, sha256(value or b"").hexdigest()}:
        raise EditError(
            f"Nothing was changed: somebody else has changed {request.place} meanwhile; look at it again."
        )


def _readable(payloads: Payloads, message: Parked, value: bytes | None) -> Payload | None:
    """Return what a message says; None when it says nothing, or something else than its headers announce."""
    try:
        payload = payloads.read(value)
    except UndecodableError:
        return None
    announced = message.type is None or payload.wire.form.name == message.type
    return payload if announced else None


def _wire(payloads: Payloads, message: Parked, payload: Payload | None, *, current: bool) -> Wire:
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
    wire: Wire, payload: Payload | None, change: Sequence[Assignment] | str | Editor
) -> bytes:
    try:
        if isinstance(change, str):
            return wire.encode(parse_json(change))
        if payload is None:
            raise EditError(
                "The message cannot be decoded, so single fields cannot be changed: give it as a whole with --file."
            )
        if not callable(change):
            return wire.encode(changed(wire.form, payload.value, change))
    except FormError as error:
        raise EditError(f"Nothing was changed: {error}.") from error
    return _by_hand(wire, payload.value, change)


def _by_hand(wire: Wire, value: Any, editor: Editor) -> bytes:
    """Have the message edited until it fits, so that no work is lost over a slip."""
    text, problem = json.dumps(value, indent=2, ensure_ascii=False), None
    while (edited := editor(text, problem)) is not None:
        try:
            return wire.encode(parse_json(edited))
        except FormError as error:
            text, problem = edited, error
    raise EditError("Nothing was changed: the editor was left without saving.")
