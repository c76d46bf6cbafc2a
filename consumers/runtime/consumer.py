"""What a service declares of itself as a consumer: its name, which function takes which message, and its patience."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from datetime import timedelta
from typing import Any

from cdc.work import Clock, utc_now
from consumers.runtime.handlers import Function, Handler, handler_of
from consumers.runtime.middleware import Middleware
from consumers.runtime.tables import Table
from schemas.catalogue import catalogue
from schemas.message import Message
from schemas.messages.consumers import MessageDeadLettered

DEFAULT_INBOX_WINDOW = timedelta(days=15)
"""Kafka deletes whole segments, a week long by default, so a record may outlive a week's retention by a week."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and when, a parked message is tried again.

    The pauses grow exponentially; half of each is left to chance, so that what failed together is not retried together
    ("equal jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).

    Args:
        attempts: Attempts in all, the first one included; after the last the message is a dead letter.
        first_pause_s: Longest pause before the second attempt, in seconds.
        factor: By how much each pause is longer than the one before.
        longest_pause_s: Longest pause of all, in seconds.
        patience_s: How long a partition waits for a party outside the database that cannot be reached, in seconds;
            then the message that needs it is parked like one that fails for another reason.
    """

    attempts: int = 6
    first_pause_s: float = 1.0
    factor: float = 5.0
    longest_pause_s: float = 3600.0
    patience_s: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_pause_s < 0 or self.factor < 1 or self.patience_s < 0:
            raise ValueError(
                "a retry policy needs at least one attempt, pauses that are not negative, and a factor of at least 1"
            )

    def pause_s(self, attempts: int) -> float | None:
        """Return how long to wait after a number of failed attempts, in seconds; None when there is no other.

        Args:
            attempts: Attempts that have failed, at least one.
        """
        if attempts >= self.attempts:
            return None
        longest = min(self.longest_pause_s, self.first_pause_s * self.factor ** (attempts - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A consumer group and its dispatch table.

    Args:
        name: Name of the consumer, also its Kafka consumer group.
        handlers: Functions marked with `@handles` or `@handles_in_bulk`, at most one for each message class.
        sends: Every message class that the handlers send; its schema must have been published.
        topics: Topics to read; those of the catalogue that carry the handled messages when none are given.
        retries: When parked messages are tried again.
        inbox_window: How long message ids are remembered, at least as long as Kafka keeps a topic; None for ever.
        max_batch: Most messages in one transaction.
        parallel_partitions: Most transactions at once in one worker. With 1, handlers of different partitions never
            wait for each other's rows.
        tables: What is to be known of the tables that the handlers write, by name, where it is not what goes without
            saying.
        middleware: What is done around every call of a handler, the outermost first.
        clock: Tells handlers the present.
        before_a_replay: A statement that puts into an empty schema what the handlers expect to be there, as it was
            before the first message. `:live` stands for the schema in earnest.
    """

    name: str
    handlers: InitVar[Iterable[Function]]
    sends: Sequence[type[Message]] = ()
    topics: Sequence[str] = ()
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    inbox_window: timedelta | None = DEFAULT_INBOX_WINDOW
    max_batch: int = 2000
    parallel_partitions: int = 4
    tables: Mapping[str, Table] = field(default_factory=dict)
    middleware: Sequence[Middleware] = ()
    clock: Clock = utc_now
    before_a_replay: bytes | None = None
    table: Mapping[str, Handler] = field(init=False)
    """The dispatch table by the message's full name."""

    def __post_init__(self, handlers: Iterable[Function]) -> None:
        entries = [handler_of(function) for function in handlers]
        table = {entry.message.NAME: entry for entry in entries}
        if len(table) < len(entries):
            raise ValueError(f"{self.name} has two handlers for one message")
        if self.max_batch < 1 or self.parallel_partitions < 1:
            raise ValueError(f"{self.name} needs a batch of at least one message at a time")
        topics = self.topics or sorted({catalogue().topic_of(name).name for name in table})
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "topics", tuple(topics))

    def with_options(self, **changes: Any) -> "Consumer":
        """Return a consumer that is declared like this one but for some options."""
        handlers = [handler.function for handler in self.table.values()]
        return replace(self, **{"handlers": handlers} | changes)

    @property
    def messages(self) -> tuple[type[Message], ...]:
        """The message classes that are handled."""
        return tuple(handler.message for handler in self.table.values())

    @property
    def outgoing(self) -> tuple[type[Message], ...]:
        """The message classes that its outbox writes: those of the handlers, and what is told of dead letters."""
        return (*self.sends, MessageDeadLettered)
