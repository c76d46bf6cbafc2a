"""One saga that runs, or has run: how far it is, step by step, and what was noted on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import TypeAdapter

S = TypeVar("S")

Status = Literal[
    "running",  # a command is out
    "waiting",  # between two attempts
    "paused",  # no attempt is left for a step that cannot be undone: a human decides
    "compensating",  # being undone
    "compensated",  # every undo was answered
    "stuck",  # no attempt is left for an undo
    "completed",
    "abandoned",  # an operator has ended it, and nothing was undone
]
ENDED = frozenset({"completed", "compensated", "abandoned"})
UNDOING = frozenset({"compensating", "stuck"})

StepStatus = Literal["out", "waiting", "given_up", "done", "refused", "skipped", "undone"]
OPEN = frozenset({"out", "waiting", "given_up"})
"""Of a step that is waited for: its command is out, goes out again after a pause, or has no attempt left."""
SETTLED = frozenset({"done", "skipped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """How far a step is.

    Args:
        status: How it stands.
        undoing: It is being undone, or was.
        tries: Attempts of this round, which the retry policy counts.
        generation: Which deadline of the step is the present one; it grows with every new one.
        due: When that passes; None when it has, or when there is none.
        asked: Ids of the commands to do it.
        undos: Ids of the commands to undo it.
    """

    status: StepStatus
    undoing: bool = False
    tries: int = 0
    generation: int = 0
    due: datetime | None = None
    asked: tuple[UUID, ...] = ()
    undos: tuple[UUID, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


STEPS: TypeAdapter[dict[str, StepRun]] = TypeAdapter(dict[str, StepRun])
"""Turns steps to JSON and back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Generic[S]):
    """A saga.

    Args:
        saga: Name of its definition.
        version: Version of that.
        id: Its id, the record key of what started it and of all its commands.
        correlation_id: That of what started it.
        state: What the definition remembers.
        steps: How far each step is that has begun.
        status: How it stands.
        reason: Why it was undone, paused or abandoned; empty when it was not.
        revision: How often it was written.
        generations: How many of its deadlines' generations its earlier runs have used up; this run counts from there.
    """

    saga: str
    version: int
    id: str
    correlation_id: UUID
    started_at: datetime
    updated_at: datetime
    state: S
    steps: Mapping[str, StepRun] = field(default_factory=dict)
    status: Status = "running"
    reason: str = ""
    revision: int = 0
    generations: int = 0

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED

    def has_asked(self, id_: UUID | None) -> bool:
        """Return whether a message is a command of this saga."""
        return any(id_ in run.asked or id_ in run.undos for run in self.steps.values())

    @property
    def next_deadline(self) -> datetime | None:
        return None if self.has_ended else next_of(self.steps)


def next_of(steps: Mapping[str, StepRun]) -> datetime | None:
    """Return the next deadline of steps."""
    return min((run.due for run in steps.values() if run.due), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was noted about a saga.

    Args:
        saga: Name of its definition.
        saga_id: Its id.
        at: When.
        what: What happened, such as `asked`, `answered`, `late`.
        step: Step that it is about; empty when it is about the whole.
        type: Full name of the message that came or was sent; empty when there was none.
        message_id: Its id.
        detail: More about it.
        state: What the definition remembered when a step began; None where none does.
    """

    saga: str
    saga_id: str
    at: datetime
    what: str
    step: str = ""
    type: str = ""
    message_id: UUID | None = None
    detail: str = ""
    state: Any = None

    def columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}
