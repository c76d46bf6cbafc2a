"""Sends spans by OpenTelemetry, from a thread of its own, so that nothing waits for whoever collects them.

Spans are made as the SDK hands them to exporters, and not by its tracer: their ids are those that contexts carried
before, and the times of waits are known only when these are over.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event as SdkEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from cdc.logs import FieldLogger
from cdc.tracing.settings import TraceSettings
from cdc.tracing.spans import Recorder, Span, TraceCounts
from cdc.tracing.zipkin import ZipkinExporter
from schemas.proxies import is_here

MOST_WAITING = 8192
"""Spans that wait to be sent; beyond, the oldest are lost."""
AT_ONCE = 512
EVERY_MS = 1000
TIMEOUT_S = 5.0
STOP_S = 2.0
"""How long the end of a process may wait for its last spans to be sent."""

log = FieldLogger(__name__)

KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_SCOPE = InstrumentationScope("tailrace")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


class Counted(SpanExporter):
    """An exporter whose failures are counted."""

    def __init__(self, exporter: SpanExporter, counts: TraceCounts) -> None:
        self._exporter = exporter
        self._counts = counts

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # one that cannot be written takes those with it that were to go with it
            log.exception("spans lost")
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._counts.sent += len(spans)
        else:
            self._counts.refused += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


@contextmanager
def exporting(service: str, settings: TraceSettings) -> Iterator[Recorder]:
    """Give what takes spans and sends them, and send the last of them at the end of the block."""
    counts = TraceCounts()
    exporter = Counted(_exporter(settings), counts)
    batches = BatchSpanProcessor(
        exporter,
        max_queue_size=MOST_WAITING,
        max_export_batch_size=AT_ONCE,
        schedule_delay_millis=EVERY_MS,
    )

    def emit(span: Span) -> None:
        if counts.waiting > MOST_WAITING + AT_ONCE:  # those under way included
            counts.dropped += 1
        batches.on_end(readable(span))

    try:
        yield Recorder(service, emit, counts)
    finally:
        # it would wait for half a minute for a collector that is away
        ending = threading.Thread(target=batches.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(STOP_S)


def _exporter(settings: TraceSettings) -> SpanExporter:
    if settings.traces_format == "zipkin":
        return ZipkinExporter(settings.endpoint, timeout_s=TIMEOUT_S)
    session = None
    if is_here(settings.endpoint):
        session = requests.session()  # whose requests the exporter gives its timeout
        session.trust_env = False  # a proxy meant for the outside has no business here
    return OTLPSpanExporter(settings.endpoint, timeout=TIMEOUT_S, session=session)


def readable(span: Span) -> ReadableSpan:
    """Return a span as exporters of OpenTelemetry take it."""
    context = _context(span.traceparent)
    parent = None
    if span.parent:
        parent = SpanContext(context.trace_id, int(span.parent, 16), is_remote=False)
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=parent,
        resource=resource_of(span.service),
        attributes=dict(span.attributes),
        events=[SdkEvent(each.name, dict(each.attributes), each.at_ns) for each in span.events],
        links=[Link(_context(each)) for each in span.links],
        kind=KINDS[span.kind],
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=max(0, span.begin_ns),  # a record may say that it is from before 1970
        end_time=max(0, span.end_ns),
        instrumentation_scope=_SCOPE,
    )


class _Known(Resource):
    """A resource that is told from others by being the same object.

    Exporters group spans by it, and its own hash writes it down as JSON for each span, a sixth of what sending costs.
    """

    __hash__ = object.__hash__
    __eq__ = object.__eq__


@lru_cache(maxsize=256)
def resource_of(service: str) -> Resource:
    """Return what is told of a service; nothing of the process, so that a span is the same whoever records it."""
    return _Known({"service.name": service, "service.namespace": "tailrace"})


def _context(traceparent: str) -> SpanContext:
    return SpanContext(
        int(traceparent[3:35], 16),
        int(traceparent[36:52], 16),
        is_remote=False,
        trace_flags=_SAMPLED,
    )
