"""What the page of a transaction says: where its time went, its lanes, its tree, and what one of its messages holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from consumers.runtime.parked.message import key_text
from infra.console.flow.lanes import Lanes, lanes
from infra.deployment import Deployment
from infra.operations.flow import Content, Flow, FlowMessage, Taking, content, flow

DEEPEST = 12
"""From here on what is led to is not indented any further."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Where some of the time went."""

    where: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """A message in its place below the one that led to it."""

    message: FlowMessage
    indent: int


@dataclass(frozen=True, slots=True)
class Drawer:
    """A message, and what it holds; None where its row is gone."""

    message: FlowMessage
    content: Content | None

    @property
    def headers(self) -> list[tuple[str, str | None]]:
        return (
            [(name, key_text(value)) for name, value in self.content.headers]
            if self.content
            else []
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a template shows."""

    flow: Flow
    standing: str
    is_bad: bool
    elapsed_s: float | None
    waits: Sequence[Wait]  # along the way to the message that came last
    lanes: Lanes | None
    tree: Sequence[Told]
    drawer: Drawer | None
    trace_pages: Sequence[str]


def transaction(deployment: Deployment, id_: str, message_id: UUID | None) -> Transaction:
    found = flow(deployment, id_)
    way = _way_to_the_last(found)
    written = [each.written_at for each in found.messages if each.written_at]
    chosen = next((each for each in found.messages if each.message_id == message_id), None)
    standing = "it is through" if found.is_done else "it is not through yet"
    return Transaction(
        flow=found,
        standing=standing if found.is_sound else "something has failed",
        is_bad=not found.is_sound,
        elapsed_s=(max(written) - min(written)).total_seconds() if written else None,
        waits=list(_waits(way)),
        lanes=lanes(found, datetime.now(UTC)),
        tree=list(_tree(found)),
        trace_pages=[
            deployment.trace_page.replace("{trace_id}", each)
            for each in found.trace_ids
            if deployment.trace_page
        ],
        drawer=None
        if chosen is None
        else Drawer(chosen, content(deployment, chosen.service, chosen.message_id)),
    )


def _way_to_the_last(found: Flow) -> list[FlowMessage]:
    """Return the message that was written last, with those that led to it, the first one first."""
    by_id = {each.message_id: each for each in found.messages}
    last = max(
        (each for each in found.messages if each.written_at),
        key=lambda each: (each.written_at, each.depth),
        default=None,
    )
    way = []
    while last is not None and last not in way:
        way.append(last)
        last = by_id.get(last.parent) if last.parent else None
    return way[::-1]


def _waits(way: Sequence[FlowMessage]) -> Iterator[Wait]:
    """Sum up where the time went on the way; of what nothing is known nothing is counted."""
    led = [_led(message, after) for message, after in pairwise(way)]
    sums = {
        "in outboxes": [message.in_outbox_s for message in way[:-1]],
        "in topics": [taking.in_topic_s for taking in led if taking],
        "in handlers": [taking.in_handler_s for taking in led if taking],
    }
    for where, found in sums.items():
        yield Wait(where, sum(max(0.0, each) for each in found if each is not None))


def _led(message: FlowMessage, after: FlowMessage) -> Taking | None:
    return next((each for each in message.takings if after.message_id in each.effects), None)


def _tree(found: Flow) -> Iterator[Told]:
    """Yield messages depth first, in the order of the flow."""
    children: dict[UUID | None, list[FlowMessage]] = {}
    for each in found.messages:
        children.setdefault(each.parent, []).append(each)
    below = list(reversed(children.get(None, [])))
    while below:
        message = below.pop()
        yield Told(message, min(message.depth, DEEPEST))
        below += reversed(children.get(message.message_id, []))
