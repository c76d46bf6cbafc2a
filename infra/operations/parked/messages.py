"""Finding the parked messages that a request means, in the schemas of all services that consume."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from consumers.runtime.parked.message import Parked, RecordPosition
from consumers.runtime.parked.reading import ParkedMessages
from consumers.runtime.parked.selection import Selection
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.role_access import open_roles, roles_of
from infra.services import WORKERS


class NotParkedError(TailraceError):
    """No message is parked from the place that was named."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A message that is meant, and where it is parked."""

    schema: ParkedMessages
    message: Parked


Approve = Callable[[Sequence[Parked]], None]
"""Is shown several messages before anything is done about them; raises to have it left undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which messages an action is about: the one at a place, or all that a selection chooses."""

    place: RecordPosition | None = None
    selection: Selection = field(default_factory=Selection)
    everything: bool = False

    def __post_init__(self) -> None:
        if self.place is None and self.selection.is_everything and not self.everything:
            raise RequestError(
                "Say which messages are meant: the PLACE of one, --key, another filter, or --all."
            )
        if self.place is None:
            return
        rest = replace(self.selection, consumer=None, message_id=None, waiting=False)
        if self.everything or not rest.is_everything:
            raise RequestError(
                "A PLACE is one message; of the filters only --consumer and --message-id go with it."
            )
        if self.selection.waiting:
            raise RequestError("A PLACE is one message; --waiting goes with filters.")

    def find(self, schemas: Sequence[ParkedMessages]) -> list[Selected]:
        if self.place is None:
            return select(schemas, self.selection)
        return [one_at(schemas, self.place, self.selection)]


@contextmanager
def open_parked(deployment: Deployment, consumer: str | None) -> Iterator[list[ParkedMessages]]:
    """Open the schemas in which a consumer, or any, may have parked messages, until the block ends."""
    with open_roles(deployment, roles_of(consumer)) as connections:
        schemas = [ParkedMessages(each) for each in connections.values()]
        if consumer:
            _require_known(consumer, schemas)
        yield schemas


def select(schemas: Sequence[ParkedMessages], selection: Selection) -> list[Selected]:
    selected = [
        Selected(schema, message)
        for schema in schemas
        for message in schema.find(selection).messages
    ]
    return sorted(selected, key=lambda each: each.message.parked_at)


def at_place(
    schemas: Sequence[ParkedMessages], place: RecordPosition, selection: Selection
) -> list[Selected]:
    """Return the messages that are parked from a place.

    There is one for each consumer that could not digest it, and in a topic that was made anew there may be several.
    """
    return select(schemas, replace(selection, waiting=True, **place._asdict()))


def one_at(
    schemas: Sequence[ParkedMessages], place: RecordPosition, selection: Selection
) -> Selected:
    selected = at_place(schemas, place, selection)
    if not selected:
        raise NotParkedError(_not_parked(schemas, place, selection.consumer))
    refuse_several(place, [each.message.consumer for each in selected])
    if len(selected) > 1:
        ids = " and ".join(str(each.message.message_id or "one without id") for each in selected)
        raise RequestError(
            f"{place} is the place of {ids}, as the topic was made anew: say which is meant with --message-id."
        )
    return selected[0]


def refuse_several(place: RecordPosition, consumers: Sequence[str]) -> None:
    """Have the user say whose message is meant, when several consumers have parked the same."""
    if len(set(consumers)) > 1:
        raise RequestError(
            f"{place} is parked by {' and '.join(sorted(set(consumers)))}: say whose is meant with --consumer."
        )


def _require_known(consumer: str, schemas: Sequence[ParkedMessages]) -> None:
    known = {worker.name for worker in WORKERS}
    if consumer in known:
        return
    known.update(*(schema.consumers() for schema in schemas))
    if consumer not in known:
        raise RequestError(
            f"No consumer is called {consumer}; there are {', '.join(sorted(known))}."
        )


def _not_parked(
    schemas: Sequence[ParkedMessages], place: RecordPosition, consumer: str | None
) -> str:
    whose = f" by {consumer}" if consumer else ""
    if any(schema.actions(consumer=consumer, place=place, limit=1) for schema in schemas):
        return (
            f"{place} is not parked{whose} any more; `tailrace parked show {place}` shows what was "
            "done about it."
        )
    return f"{place} is not parked{whose}; `tailrace parked list` shows what is."
