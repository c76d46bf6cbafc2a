"""Spans, and the recorder of this process that takes them; nothing of OpenTelemetry is imported for it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from types import TracebackType
from typing import Literal, NamedTuple, Self
from uuid import UUID

from cdc.context import TRACE_CONTEXT, MessageContext, is_sampled, next_traceparent, sampling
from cdc.speaker import speaker

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool

ROUNDING_NS = 1_000_000
"""Kafka's times are whole milliseconds: by so much less than nothing a wait may come out though all clocks agree."""


class Event(NamedTuple):
    """Something within a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, Value] = {}


class Span(NamedTuple):
    """What is recorded: times are nanoseconds since 1970."""

    name: str
    traceparent: str  # the span's own trace context
    parent: str | None  # span id of what it is a part of, or came of
    begin_ns: int
    end_ns: int
    kind: Kind = "internal"
    service: str = ""  # whose doing it is; the recorder's when nobody is named
    attributes: Mapping[str, Value] = {}
    events: Sequence[Event] = ()
    links: Sequence[str] = ()  # trace contexts
    error: str = ""


@dataclass(slots=True)
class TraceCounts:
    """What became of spans since the start.

    Args:
        recorded: Spans.
        sent: Those that were taken where they are sent.
        refused: Those that were not.
        dropped: Those that nobody had taken when there was no more room for them.
        clamped: Waits that clocks which differ made less than nothing.
    """

    recorded: int = 0
    sent: int = 0
    refused: int = 0
    dropped: int = 0
    clamped: int = 0

    @property
    def waiting(self) -> int:
        return self.recorded - self.sent - self.refused - self.dropped

    def figures(self) -> dict[str, int]:
        """Return them as whoever looks after a service wants to know them."""
        return {
            "recorded": self.recorded,
            "sent": self.sent,
            "lost": self.refused + self.dropped,
            "clamped": self.clamped,
        }


@dataclass(slots=True)
class Recorder:
    """Takes spans.

    Args:
        service: Name of the service that runs here; where several do, `speaker` tells.
        emit: Sends a span, soon and elsewhere.
    """

    service: str
    emit: Callable[[Span], None]
    counts: TraceCounts = field(default_factory=TraceCounts)

    def record(self, span: Span) -> None:
        self.counts.recorded += 1
        self.emit(span if span.service else span._replace(service=speaker.get(self.service)))

    def wait(self, span: Span) -> None:
        """Record a wait between times of two clocks; when it is less than nothing, the one that ends it is believed."""
        if (short_ns := span.begin_ns - span.end_ns) > 0:
            span = span._replace(begin_ns=span.end_ns)
            if short_ns > ROUNDING_NS:
                self.counts.clamped += 1
                told = {"tailrace.clock_skew_ms": round(short_ns / 1e6, 3)}
                span = span._replace(attributes={**span.attributes, **told})
        self.record(span)


class _Here:
    """What records in this process."""

    recorder: Recorder | None = None


def recorder() -> Recorder | None:
    """Return what records in this process; None where traces are not recorded."""
    return _Here.recorder


@contextmanager
def recording(here: Recorder, sample_rate: float) -> Iterator[None]:
    """Have this process record as long as the block lasts.

    Args:
        here: What takes the spans.
        sample_rate: How many of the traces that begin here are recorded, from 0 to 1.
    """
    before, rate = _Here.recorder, sampling.rate
    _Here.recorder, sampling.rate = here, sample_rate
    try:
        yield
    finally:
        _Here.recorder, sampling.rate = before, rate


class Doing:
    """Something under way, which is recorded when it ends; where its trace is not, only its context is at hand.

    Attributes:
        context: What is done on its account carries this on: the trace, with this as the parent.
        attributes: What is told of it; look at `is_recorded` before taking pains.
        error: Why it failed; empty when it did not, and None where that is told by whether it raises.
    """

    __slots__ = (
        "_begin_ns",
        "_kind",
        "_name",
        "_parent",
        "_recorder",
        "attributes",
        "context",
        "error",
    )

    def __init__(
        self,
        name: str,
        context: MessageContext,
        *,
        parent: str | None = None,
        kind: Kind = "internal",
        records: bool = True,
    ) -> None:
        here = _Here.recorder
        is_recorded = records and here is not None and is_sampled(context.traceparent)
        self._recorder = here if is_recorded else None
        self._name = name
        self._kind = kind
        self._parent = parent
        self._begin_ns = 0
        self.context = context
        self.attributes: dict[str, Value] = {}
        self.error: str | None = None

    @property
    def is_recorded(self) -> bool:
        return self._recorder is not None

    def rename(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> Self:
        if self._recorder is not None:
            self._begin_ns = time.time_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._recorder is None:
            return
        raised = kind.__name__ if kind else ""
        self._recorder.record(
            Span(
                name=self._name,
                traceparent=self.context.traceparent or "",
                parent=self._parent,
                begin_ns=self._begin_ns,
                end_ns=max(time.time_ns(), self._begin_ns),
                kind=self._kind,
                attributes=self.attributes,
                error=raised if self.error is None else self.error,
            )
        )


def doing(
    name: str, context: MessageContext, kind: Kind = "internal", **attributes: Value
) -> Doing:
    """Return something that is done as a part of what a context is about; a context manager."""
    if _Here.recorder is None or not is_sampled(context.traceparent):
        return Doing(name, context, records=False)
    begun = Doing(name, context.next_span(), parent=span_id_of(context.traceparent), kind=kind)
    begun.attributes |= attributes
    return begun


def beginning(name: str, context: MessageContext, **attributes: Value) -> Doing:
    """Return what begins a trace that no request or message has begun; a context manager.

    Args:
        context: Its trace context is replaced by that of the new trace.
    """
    begun = Doing(name, replace(context, traceparent=next_traceparent(None)))
    if begun.is_recorded:
        correlation = {"messaging.message.conversation_id": str(context.correlation_id)}
        begun.attributes |= {**correlation, **attributes}
    return begun


def span_id_of(traceparent: str | None) -> str | None:
    """Return the id of the span that a trace context names; None where it names none."""
    return traceparent[36:52] if traceparent and TRACE_CONTEXT.fullmatch(traceparent) else None


def with_span_id(traceparent: str, span_id: str) -> str:
    """Return the context of another span of the same trace."""
    return f"{traceparent[:36]}{span_id}{traceparent[52:]}"


def derived_id(message_id: UUID | str, *of: str) -> str:
    """Return the id of a span that comes of a message: the same whoever records it, and however often."""
    return blake2b("\0".join((str(message_id), *of)).encode(), digest_size=8).hexdigest()


def ns_of(moment: datetime) -> int:
    """Return nanoseconds since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


_EPOCH = datetime.fromtimestamp(0, UTC)


def figures() -> dict[str, int]:
    """Return what became of spans, for whoever asks how this process is; empty where traces are not recorded."""
    return {} if _Here.recorder is None else _Here.recorder.counts.figures()
