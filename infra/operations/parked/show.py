"""Everything about one message: as it is parked, or as it was when somebody last did something about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from consumers.runtime.parked.message import Action, Content, Parked, RecordPosition
from consumers.runtime.parked.payload import Payloads
from consumers.runtime.parked.selection import Selection
from infra.deployment import Deployment
from infra.operations.parked import messages as parked
from schemas.datum import UndecodableError
from schemas.registry import RegistryUnavailableError, SchemaStore

OTHERS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class DecodedValue:
    """A record value, and what it says as far as that can be told."""

    data: bytes | None
    payload: Any = None
    schema: str = ""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DecodedAction:
    """What was done about a message; of an edit, the value before and after it."""

    action: Action
    before: DecodedValue | None = None
    after: DecodedValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedView:
    """A message that is parked."""

    message: Parked
    content: Content
    value: DecodedValue
    original: DecodedValue | None
    others: Sequence[tuple[RecordPosition, str | None]]
    history: Sequence[DecodedAction]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneView:
    """A message that is not parked any more."""

    last: Action
    value: DecodedValue | None
    history: Sequence[DecodedAction]


def show(
    deployment: Deployment, place: RecordPosition, consumer: str | None, message_id: UUID | None
) -> ParkedView | GoneView:
    """Return everything about the message at a place, or what it was when an operator last acted on it."""
    payloads = Payloads(SchemaStore(deployment.registry, deployment.schema_cache))
    selection = Selection(consumer=consumer, message_id=message_id)
    with parked.open_parked(deployment, consumer) as schemas:
        actions = [
            action
            for schema in schemas
            for action in schema.actions(consumer=consumer, place=place)
            if message_id in {None, action.message_id}
        ]
        if parked.at_place(schemas, place, selection) or not actions:
            return _parked(payloads, parked.one_at(schemas, place, selection), actions)
    parked.refuse_several(place, [action.consumer for action in actions])
    last = actions[0]
    return GoneView(
        last=last,
        value=decoded(payloads, last.value) if last.action == "skip" else None,
        history=[_decode_action(payloads, action) for action in actions],
    )


def _parked(payloads: Payloads, selected: parked.Selected, actions: Sequence[Action]) -> ParkedView:
    message, messages = selected.message, selected.schema
    content = messages.content(message)
    if content is None:  # it has taken effect since it was found
        raise parked.NotParkedError(f"{message.place} has taken effect just now.")
    original = content.original_value
    return ParkedView(
        message=message,
        content=content,
        value=decoded(payloads, content.value),
        original=decoded(payloads, original) if message.edited else None,
        others=messages.others(message, OTHERS_SHOWN),
        history=[
            _decode_action(payloads, action)
            for action in actions
            if (action.consumer, action.message_id) == (message.consumer, message.message_id)
        ],
    )


def decoded(payloads: Payloads, data: bytes | None) -> DecodedValue:
    try:
        found = payloads.read(data)
    except (UndecodableError, RegistryUnavailableError) as error:
        return DecodedValue(data, problem=str(error))
    wire = found.wire
    return DecodedValue(data, found.value, f"{wire.form.name}, schema id {wire.schema_id}")


def _decode_action(payloads: Payloads, action: Action) -> DecodedAction:
    if action.action != "edit":
        return DecodedAction(action)
    values = (action.value, action.new_value)
    return DecodedAction(action, *(decoded(payloads, each) for each in values))
