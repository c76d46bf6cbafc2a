"""What a service declares of itself as a consumer: its name, and which function takes which message."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from datetime import timedelta
from typing import Any

from cdc.due import RetryPolicy
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
        tables: By name: how rows of a table are compared in a replay. Those without an entry are compared whole, by
            their primary key.
        middleware: What is done around every call of a handler, the outermost first.
        clock: Tells handlers the present.
        before_a_replay: A statement that puts into an empty schema what the handlers expect to be there, as it was
            before the first message. `:live` is replaced by the name of the live schema.
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
        topics = self.topics or sorted({topic for name in table for topic in self._read_for(name)})
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "topics", tuple(topics))

    def _read_for(self, message: str) -> list[str]:
        """Return where a message is read: everywhere that the catalogue says so, and else where it is at home."""
        topics = [
            topic.name
            for topic in catalogue().topics_of(message)
            if message in topic.consumers.get(self.name, ())
        ]
        return topics or [catalogue().topic_of(message).name]

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
