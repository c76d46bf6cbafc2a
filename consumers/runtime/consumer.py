"""What a service declares of itself as a consumer: its name, and which function takes which message."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from datetime import timedelta
from typing import Any

from cdc.chores import Chore
from cdc.database import Pool
from cdc.due import DueWork, RetryPolicy
from cdc.outbox import Outbox
from cdc.work import Clock, utc_now
from consumers.runtime.handlers import (
    Answer,
    Answering,
    Function,
    Handler,
    answer_of,
    handlers_of,
)
from consumers.runtime.locking.lock import Lock
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
        sends: Every message class that the handlers send, or reply to requests; its schema must have been published.
        answers: Functions marked with `@answers`, at most one for each message class.
        topics: Topics to read; those of the catalogue that carry the handled messages when none are given.
        retries: When parked messages are tried again.
        inbox_window: How long message ids are remembered, at least as long as Kafka keeps a topic; None for ever.
        max_batch: Most messages in one transaction; 1 where a handler does outside what a rollback cannot undo, so that
            none is undone for the time that others take.
        parallel_partitions: Most transactions at once in one worker. With 1, handlers of a worker never
            wait for each other's rows.
        gather_s: Least time from one fetch that brings something to the next, in seconds, so that what comes meanwhile
            shares a transaction; what comes after a quiet time does not wait. For effects that nobody waits for.
        parallel_answers: Most requests answered at once in one worker, each on a connection of its own.
        tables: By name: how rows of a table are compared in a replay. Those without an entry are compared whole, by
            their primary key.
        middleware: What is done around every call of a handler, the outermost first.
        locks: What its commands lock for the saga that they belong to.
        clock: Tells handlers the present.
        before_a_replay: A statement that puts into an empty schema what the handlers expect to be there, as it was
            before the first message. `:live` is replaced by the name of the live schema.
        due: Makes due work that its worker sees to beside the messages, each from the consumer and its outbox.
        chores: Makes what its worker does again and again beside the messages in transactions of its own, from the
            worker's connections and its outbox: calls of others, which no transaction should wait for.
        at_start: `(connection)`, before a worker starts, in a transaction: a `RefusedError` keeps it from starting.
    """

    name: str
    handlers: InitVar[Iterable[Function]]
    sends: Sequence[type[Message]] = ()
    answers: Sequence[Answering] = ()
    topics: Sequence[str] = ()
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    inbox_window: timedelta | None = DEFAULT_INBOX_WINDOW
    max_batch: int = 2000
    parallel_partitions: int = 4
    gather_s: float = 0.0
    parallel_answers: int = 4
    tables: Mapping[str, Table] = field(default_factory=dict)
    middleware: Sequence[Middleware] = ()
    locks: Sequence[Lock] = ()
    clock: Clock = utc_now
    before_a_replay: bytes | None = None
    due: Sequence[Callable[["Consumer", Outbox], DueWork[Any]]] = ()
    chores: Callable[[Pool, Outbox], Sequence[Chore]] | None = None
    at_start: Callable[[Any], None] | None = None
    table: Mapping[str, Handler] = field(init=False)
    """The dispatch table by the message's full name."""
    answer_table: Mapping[str, Answer] = field(init=False)
    """What answers a request, by the full name of the question."""

    def __post_init__(self, handlers: Iterable[Function]) -> None:
        entries = [entry for function in handlers for entry in handlers_of(function)]
        table = {entry.message.NAME: entry for entry in entries}
        if len(table) < len(entries):
            raise ValueError(f"{self.name} has two handlers for one message")
        answered = [answer_of(function) for function in self.answers]
        answer_table = {answer.question.NAME: answer for answer in answered}
        if len(answer_table) < len(answered):
            raise ValueError(f"{self.name} has two answers to one request")
        if min(self.max_batch, self.parallel_partitions, self.parallel_answers) < 1:
            raise ValueError(f"{self.name} needs a batch of at least one message at a time")
        self._require_locks_of_ours(table)
        topics = self.topics or sorted({topic for name in table for topic in self._read_for(name)})
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "answer_table", answer_table)
        object.__setattr__(self, "topics", tuple(topics))

    def _require_locks_of_ours(self, table: Mapping[str, Handler]) -> None:
        taken = [command for lock in self.locks for command in lock.takes]
        if len(set(taken)) < len(taken) or len({lock.name for lock in self.locks}) < len(
            self.locks
        ):
            raise ValueError(f"{self.name} has two locks of one name, or that one command takes")
        ours = {handler.message for handler in table.values()}
        frees = {message for lock in self.locks for message in lock.freed_by}
        if missing := (set(taken) | frees - set(self.sends)) - ours:
            names = ", ".join(sorted(message.NAME for message in missing))
            raise ValueError(
                f"{self.name} has a lock for {names}, which it neither handles nor sends"
            )

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
        handlers = dict.fromkeys(handler.function for handler in self.table.values())
        return replace(self, **{"handlers": handlers} | changes)

    @property
    def messages(self) -> tuple[type[Message], ...]:
        """The message classes that are handled."""
        return tuple(handler.message for handler in self.table.values())

    @property
    def request_topics(self) -> tuple[str, ...]:
        """Topics of the requests that are answered.

        Raises:
            ValueError: the catalogue has a question on no topic of requests, or on several.
        """
        topics = {catalogue().request_topic_of(name).name for name in self.answer_table}
        return tuple(sorted(topics))

    @property
    def outgoing(self) -> tuple[type[Message], ...]:
        """The message classes that its outbox writes: those of the handlers, and what is told of dead letters."""
        return (*self.sends, MessageDeadLettered)
