"""The way of a message as spans: its wait in the outbox, its wait in the topic, and its handling by one consumer.

The consumer records all three, from times that row, record and transaction have, once the message has taken effect: the
connector can record nothing. A wait that came before is the same span whoever records it, so several consumers of a
message, and repetitions, make no second one.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import partial
from typing import Any

from cdc.envelope import moment_of
from cdc.logs import FieldLogger
from cdc.tracing.spans import (
    Recorder,
    Span,
    Value,
    derived_id,
    ns_of,
    recorder,
    span_id_of,
    with_span_id,
)
from consumers.runtime.delivery import Record, replay_of
from consumers.runtime.received import Received

log = FieldLogger(__name__)

Failed = Mapping[tuple[str, int, int], str]
"""Class of the error, by topic, partition and offset, of messages that were parked."""


class MessageSpans:
    """Records what becomes of messages in one consumer.

    Args:
        consumer: Its name.
        here: What takes the spans.
    """

    def __init__(self, consumer: str, here: Recorder) -> None:
        self._consumer = consumer
        self._here = here
        self._group: dict[str, Value] = {"messaging.consumer.group.name": consumer}

    def taken(self, todo: Sequence[Received[Any]], at_ns: int) -> list[Received[Any]]:
        """Note when messages were taken, unless they were before; return those that are recorded."""
        recorded = [each for each in todo if each.trace is not None]
        for each in recorded:
            if each.trace and not each.trace.taken_ns:
                each.trace.taken_ns = at_ns
        return recorded

    def took_effect(self, recorded: Sequence[Received[Any]], together: int, failed: Failed) -> None:
        """Record messages whose transaction has committed.

        Args:
            together: How many messages took effect in it.
            failed: Those that were parked instead.
        """
        try:
            self._record_all(recorded, together, failed)
        except Exception:  # they have taken effect, whatever can be told of that
            log.exception("messages not traced", consumer=self._consumer)

    def _record_all(self, recorded: Sequence[Received[Any]], together: int, failed: Failed) -> None:
        end_ns = time.time_ns()
        batch = self._batch(recorded, together, end_ns) if together > 1 else ()
        for each in recorded:
            record = each.record
            error = failed.get((record.topic, record.partition, record.offset), "")
            told = _told(record)
            wait = self._way_here(each, told)
            more: dict[str, Value] = {_COUNT: together} if batch else {}
            self._handled(each, told | more, wait, end_ns, error, batch)

    def trying_again(
        self, received: Received[Any], waited: str, since: datetime | None
    ) -> AbstractContextManager[None]:
        """Record that a message is taken out of where it was put aside, and what becomes of it in the block.

        Args:
            waited: Where that was.
            since: When it was put there.
        """
        return self._taking(received, partial(self._tried_again, received, waited, since))

    def _tried_again(
        self, received: Received[Any], waited: str, since: datetime | None, error: str
    ) -> None:
        trace = received.trace
        if trace is None:
            return
        end_ns = time.time_ns()
        told, parent = _told(received.record), derived_id(received.message_id, self._consumer)
        if since is not None:
            aside = derived_id(received.message_id, self._consumer, waited, str(trace.taken_ns))
            self._here.wait(
                Span(
                    f"{waited} {received.record.topic}",
                    with_span_id(trace.traceparent, aside),
                    parent,
                    ns_of(since),
                    trace.taken_ns,
                    attributes=told | self._group | {"messaging.operation.name": waited},
                )
            )
            parent = aside
        attempt: dict[str, Value] = {"tailrace.attempt": received.attempt}
        self._handled(received, told | attempt, parent, end_ns, error)

    def answering(self, received: Received[Any]) -> AbstractContextManager[None]:
        """Record a request that is answered in the block."""
        return self._taking(received, partial(self._answered, received))

    def _answered(self, received: Received[Any], error: str) -> None:
        told = _told(received.record)
        self._handled(received, told, self._way_here(received, told), time.time_ns(), error)

    @contextmanager
    def _taking(self, received: Received[Any], record: Callable[[str], None]) -> Iterator[None]:
        """Take a message, and in the end record the class of the error that the block raises, if it does."""
        self.taken([received], time.time_ns())
        error = ""
        try:
            yield
        except BaseException as reason:
            error = type(reason).__name__
            raise
        finally:
            record(error)

    def _way_here(self, received: Received[Any], told: dict[str, Value]) -> str:
        """Record the waits of a message until it was taken; return the id of the last one."""
        trace, record, message_id = received.trace, received.record, received.message_id
        if trace is None:
            return ""
        # a record without a time has a negative one
        published_ns = record.timestamp * 1_000_000 if record.timestamp > 0 else trace.taken_ns
        parent = span_id_of(trace.parent)
        headers = dict(record.headers)
        written = moment_of(headers.get("ce_time"))
        # one that was published again waits in no outbox
        if written is not None and replay_of(headers) is None:
            sent_id = derived_id(message_id)
            self._here.wait(
                Span(
                    f"outbox {record.topic}",
                    with_span_id(trace.traceparent, sent_id),
                    parent,
                    ns_of(written),
                    published_ns,
                    "producer",
                    _text(headers.get("ce_source") or b"").strip("/"),
                    told | {"messaging.operation.name": "outbox", _OPERATION: "send"},
                )
            )
            parent = sent_id
        wait_id = derived_id(message_id, self._consumer)
        self._here.wait(
            Span(
                f"topic {record.topic}",
                with_span_id(trace.traceparent, wait_id),
                parent,
                published_ns,
                trace.taken_ns,
                "consumer",
                attributes=told
                | self._group
                | {"messaging.operation.name": "topic", _OPERATION: "receive"},
            )
        )
        return wait_id

    def _handled(
        self,
        received: Received[Any],
        told: dict[str, Value],
        parent: str,
        end_ns: int,
        error: str,
        links: Sequence[str] = (),
    ) -> None:
        if received.trace is None:
            return
        self._here.record(
            Span(
                f"process {received.record.topic}",
                received.trace.traceparent,
                parent,
                received.trace.taken_ns,
                max(end_ns, received.trace.taken_ns),
                "consumer",
                attributes=told
                | _place(received.record)
                | self._group
                | {"messaging.operation.name": "process", _OPERATION: "process"},
                events=received.trace.events,
                links=links,
                error=error,
            )
        )

    def _batch(
        self, recorded: Sequence[Received[Any]], together: int, end_ns: int
    ) -> Sequence[str]:
        """Record a transaction that took several messages, in a trace of its own; return its context, to link to."""
        traces = [each.trace for each in recorded if each.trace is not None]
        if not traces:
            return ()
        first = recorded[0].message_id
        own = derived_id(first, self._consumer, "batch")
        context = f"00-{derived_id(first, self._consumer, 'batch trace')}{own}-{own}-01"
        self._here.record(
            Span(
                "process batch",
                context,
                None,
                min(trace.taken_ns for trace in traces),
                end_ns,
                "consumer",
                attributes={
                    **self._group,
                    "messaging.system": "kafka",
                    "messaging.operation.name": "process",
                    _OPERATION: "process",
                    _COUNT: together,
                },
                links=[trace.traceparent for trace in traces],
            )
        )
        return (context,)


def trying_again(
    spans: MessageSpans | None, received: Received[Any], waited: str, since: datetime | None
) -> AbstractContextManager[None]:
    """Do as `MessageSpans.trying_again` does, if the message is recorded."""
    if spans is None or received.trace is None:
        return nullcontext()
    return spans.trying_again(received, waited, since)


def message_spans(consumer: str) -> MessageSpans | None:
    """Return what records the messages of a consumer; None where traces are not recorded."""
    here = recorder()
    return MessageSpans(consumer, here) if here is not None else None


def _told(record: Record) -> dict[str, Value]:
    """Return what is told of a record, by the names that OpenTelemetry has for it."""
    headers = dict(record.headers)
    told: dict[str, Value] = {
        "messaging.system": "kafka",
        "messaging.destination.name": record.topic,
    }
    for name, header in _HEADERS.items():
        if value := headers.get(header):
            told[name] = _text(value)
    return told


def _place(record: Record) -> dict[str, Value]:
    """Return where a record lies and its key: told of its handling alone, as each attribute of each wait costs."""
    place: dict[str, Value] = {
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
    if record.key is not None:
        place["messaging.kafka.message.key"] = _text(record.key)
    return place


def _text(value: bytes) -> str:
    return value[:LONGEST].decode(errors="replace")


LONGEST = 500
"""Most bytes told of a header or key."""
_HEADERS = {
    "messaging.message.id": "ce_id",
    "messaging.message.conversation_id": "correlation_id",
    "cloudevents.event_type": "ce_type",
}
_OPERATION = "messaging.operation.type"
_COUNT = "messaging.batch.message_count"
