"""What may come to a saga: messages that start or cancel it, replies, deadlines, and what operators want."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from schemas.message import Message

Verb = Literal["resume", "retry", "cancel", "kill", "skip", "fork"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A message that may start a saga."""

    message: Message
    saga_id: str
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to a command of this id."""

    message: Message
    to: UUID | None


@dataclass(frozen=True, slots=True)
class Deadline:
    """The deadline of a step has passed, or the pause before its next attempt."""

    step: str
    generation: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody does not want it any more."""

    message: Message


@dataclass(frozen=True, slots=True)
class Act:
    """What an operator wants.

    Args:
        verb: `resume` has what no attempt is left for tried again, `retry` everything that is waited for; `cancel`
            undoes, `kill` does not; `skip` takes a step that is waited for as done; `fork` is what `fork` does.
        who: Who wants it, and why.
        step: The step to retry, skip or fork from; all that is waited for when it is empty, except to skip.
        newest: To fork with the newest version, and not with the one that it ran with.
    """

    verb: Verb
    who: str
    step: str = ""
    newest: bool = False


Input = Reply | Deadline | Cancel | Act
