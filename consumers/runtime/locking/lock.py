"""What a participant declares of a semantic lock, and how a saga is told from another one."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, Self

from consumers.runtime.delivery import Delivery
from consumers.runtime.failures import PoisonError, escaped
from schemas.message import Message

LEASE = timedelta(hours=1)

LONGEST = 200
"""Most characters of a name that are kept as they are: an index takes no more than some 2,700 bytes of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A target that belongs to one saga at a time, from its command that takes it until it is done with it.

    Args:
        name: What people call it, such as `card`.
        takes: Commands that take it, each with the function that tells the target from the command.
        freed_by: Messages that free what their saga holds once they are handled, or are the reply to what is handled:
            what says that a step was refused or undone, or was the saga's last one here.
        lease: How long a saga may hold a target after its last command that takes it; longer than a saga takes that
            goes well, or its target goes to another one in the midst of it.
    """

    name: str
    takes: Mapping[type[Message], Callable[[Any], object]]
    freed_by: Collection[type[Message]]
    lease: timedelta = LEASE

    def __post_init__(self) -> None:
        if not self.takes or not self.freed_by:
            raise ValueError(f"the lock {self.name} needs commands that take it, and what frees it")
        if both := [each.NAME for each in self.takes if each in set(self.freed_by)]:
            raise ValueError(f"the lock {self.name} is taken and freed by {', '.join(both)}")
        if self.lease <= timedelta(0):
            raise ValueError(f"the lock {self.name} needs a lease of some length")


class Holder(NamedTuple):
    """The saga that a message belongs to, as far as messages tell.

    Args:
        saga_id: Its id, the record key of all its commands.
        replies_to: Topic of its replies, which tells sagas of one id apart; empty of a message that wants no reply.
    """

    saga_id: str
    replies_to: str

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(short(delivery.key), short(delivery.reply_to or ""))


class Want(NamedTuple):
    """That a command wants a target.

    Args:
        lock: Name of the lock.
        target: What is to be locked.
        holder: The saga.
        lease: How long it may hold it.
    """

    lock: str
    target: str
    holder: Holder
    lease: timedelta

    @classmethod
    def of(cls, lock: Lock, message: Message, delivery: Delivery) -> Self:
        """Return what a command wants.

        Raises:
            PoisonError: it has no record key, so that its saga cannot be told.
        """
        if not delivery.key:
            raise PoisonError(
                f"{delivery.type} {delivery.message_id} has no record key, which would tell for which saga the lock "
                f"{lock.name} is taken"
            )
        target = short(str(lock.takes[type(message)](message)))
        return cls(lock.name, target, Holder.of(delivery), lock.lease)


class Freed(NamedTuple):
    """That a saga is done with what it holds.

    Args:
        lock: Name of the lock.
        holder: The saga; whichever has the id, where it names no topic of replies.
    """

    lock: str
    holder: Holder


def short(text: str) -> str:
    """Return a name that a database can keep and index; different ones stay different."""
    text = escaped(text)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}… {hashlib.sha256(text.encode()).hexdigest()}"
