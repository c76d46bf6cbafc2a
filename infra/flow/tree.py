"""Messages in an order that their causes and the positions in their logs prove, whatever the clocks say."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message as its outbox has it."""

    message_id: UUID
    type: str
    topic: str
    key: str
    aggregate: str  # kind of what the key identifies
    version: int | None  # of the aggregate after an event; None for what is no event
    service: str  # schema of the outbox
    seq: int | None  # its position there; None while it is kept back
    correlation_id: UUID
    causation_id: UUID | None
    # when the transaction began that wrote it; None of what is or was kept back
    began_at: datetime | None
    written_at: datetime | None
    expires_at: datetime | None
    not_before: datetime | None = None  # of what is kept back
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A message in its place: below the one that led to it, or at the top because nothing that is known did."""

    message: Sent
    parent: UUID | None
    depth: int


def in_order(messages: Sequence[Sent]) -> list[Placed]:
    """Return messages so that each comes after the one that led to it, and after those before it in its own log.

    Between logs, where neither says which was first, what is nearer to the beginning comes first. Rows that contradict
    each other, as a circle of causes would, end up at the top instead of nowhere.
    """
    logs = _logs(messages)
    known = {each.message_id for each in messages}
    placed: dict[UUID, Placed] = {}
    while heads := [log[0] for log in logs.values() if log]:
        ready = [each for each in heads if _is_ready(each, known, placed)]
        found = min((_place(each, placed) for each in ready or heads), key=_rank)
        logs[found.message.service].popleft()
        placed[found.message.message_id] = found
    return list(placed.values())


def _logs(messages: Sequence[Sent]) -> dict[str, deque[Sent]]:
    logs: dict[str, deque[Sent]] = defaultdict(deque)
    for each in sorted(messages, key=_position):
        logs[each.service].append(each)
    return logs


def _position(message: Sent) -> tuple[bool, int, int]:
    """What is kept back comes last: it will get its position when its time has come."""
    return message.seq is None, message.seq or 0, message.message_id.int


def _is_ready(message: Sent, known: set[UUID], placed: dict[UUID, Placed]) -> bool:
    cause = message.causation_id
    return cause is None or cause in placed or cause not in known


def _place(message: Sent, placed: dict[UUID, Placed]) -> Placed:
    parent = placed.get(message.causation_id) if message.causation_id else None
    if parent is None:
        return Placed(message, None, 0)
    return Placed(message, parent.message.message_id, parent.depth + 1)


def _rank(each: Placed) -> tuple[int, str, tuple[bool, int, int]]:
    return each.depth, each.message.service, _position(each.message)
