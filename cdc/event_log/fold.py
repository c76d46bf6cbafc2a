"""How the state of an aggregate follows from its events: what a service declares, and folding."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from cdc.event_log.events import BrokenLogError
from schemas.contracts import canonical
from schemas.message import Message
from schemas.upcasting import UPCASTERS

S = TypeVar("S")

PROSE = frozenset({"title", "description"})
"""Members of a JSON schema that say nothing of the shape."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment in the life of an aggregate: after a version, or at a time; neither is now.

    Args:
        version: The last version that counts.
        time: Events that were committed to the log later do not count.
    """

    version: int | None = None
    time: datetime | None = None

    def includes(self, version: int, occurred_at: datetime) -> bool:
        """Tell whether an event had happened by then."""
        in_version = self.version is None or version <= self.version
        return in_version and (self.time is None or occurred_at <= self.time)


@dataclass(frozen=True, slots=True)
class State(Generic[S]):
    """An aggregate as it stood after a version.

    Args:
        version: The version of its last event.
        value: How it stood.
    """

    version: int
    value: S


@dataclass(frozen=True)
class Fold(Generic[S]):
    """What a service declares of a kind of aggregate whose state follows from its log.

    Args:
        kind: Kind of the aggregate, as in the catalogue, such as `order`.
        messages: Every class of event that may stand in its log.
        state: Class of the state, a dataclass of plain values.
        begin: Returns the state that a first event leads to; raises ValueError for one that none begins with.
        apply: Returns the state that follows a state and a later event.
        generation: To be raised when the same events lead to another state than before, so that no snapshot of before
            is used. Changes of the state's fields, of the messages or of upcasters are noticed without it.
    """

    kind: str
    messages: tuple[type[Message], ...]
    state: type[S]
    begin: Callable[[Any], S]
    apply: Callable[[S, Any], S]
    generation: int = 1

    def after(self, state: State[S] | None, event: Message, version: int) -> State[S]:
        """Return the state that follows an event.

        Args:
            state: How the aggregate stood before; None before its first event.
            event: What happened.
            version: The version of the event.

        Raises:
            BrokenLogError: the event cannot stand here.
        """
        try:
            value = self.begin(event) if state is None else self.apply(state.value, event)
        except (ValueError, TypeError, AttributeError) as error:
            raise BrokenLogError(
                f"{event.NAME} cannot be version {version} of this {self.kind}: {error}"
            ) from error
        return State(version, value)

    @cached_property
    def shape(self) -> str:
        """What this code understands by a state: differs when a snapshot that other code has kept may mislead it."""
        says = [
            self.generation,
            _without_prose(self._adapter.json_schema(mode="serialization")),
            {message.NAME: canonical(message.NAME) for message in self.messages},
            [
                [each.message, each.written_without]
                for each in UPCASTERS
                if each.message in {message.NAME for message in self.messages}
            ],
        ]
        text = json.dumps(says, sort_keys=True)
        return f"{self.generation}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"

    def to_json(self, value: S) -> Any:
        """Return a state as JSON."""
        return self._adapter.dump_python(value, mode="json")

    def from_json(self, document: Any) -> S | None:
        """Return the state that JSON tells of, or None when it tells of none that this code knows."""
        try:
            return self._adapter.validate_json(json.dumps(document), strict=True)
        except ValidationError:
            return None

    @cached_property
    def _adapter(self) -> TypeAdapter[S]:
        return TypeAdapter(self.state)


def _without_prose(schema: Any, *, is_properties: bool = False) -> Any:
    """Return a JSON schema without what is only said to people."""
    if isinstance(schema, Mapping):
        return {
            key: _without_prose(
                value, is_properties=key in {"properties", "$defs"} and not is_properties
            )
            for key, value in schema.items()
            if is_properties or key not in PROSE
        }
    if isinstance(schema, Iterable) and not isinstance(schema, str):
        return [_without_prose(each) for each in schema]
    return schema
