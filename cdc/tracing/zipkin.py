"""Spans as Zipkin takes them: the JSON of version 2 of its API."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from cdc.logs import FieldLogger
from schemas.proxies import heeded

log = FieldLogger(__name__)


class ZipkinExporter(SpanExporter):
    """Posts spans to a Zipkin.

    Args:
        url: Its `/api/v2/spans`.
        timeout_s: How long it may take, in seconds.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        # a proxy meant for the outside has no business here
        self._http = httpx2.Client(timeout=timeout_s, trust_env=heeded(url))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            answer = self._http.post(self._url, json=[encoded(span) for span in spans])
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            log.warning("spans lost: Zipkin does not take them", because=repr(error))
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._http.close()


def encoded(span: ReadableSpan) -> dict[str, Any]:
    """Return a span as Zipkin has it.

    It knows no links, which are told in a tag; its times are microseconds, and what takes less takes one.
    """
    context, begin, end = span.get_span_context(), span.start_time or 0, span.end_time or 0
    assert context is not None  # noqa: S101 - ours have one
    attributes: Mapping[str, Any] = span.attributes or {}
    found: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "id": f"{context.span_id:016x}",
        "name": span.name,
        "timestamp": begin // 1000,
        "duration": max(1, (end - begin) // 1000),
        "localEndpoint": {"serviceName": str(span.resource.attributes["service.name"])},
        "tags": {name: _text(value) for name, value in attributes.items()},
        "annotations": [
            {"timestamp": event.timestamp // 1000, "value": _told(event.name, event.attributes)}
            for event in span.events
        ],
    }
    if span.parent is not None:
        found["parentId"] = f"{span.parent.span_id:016x}"
    if span.kind is not SpanKind.INTERNAL:
        found["kind"] = span.kind.name
    if (peer := _peer(span.kind, attributes)) is not None:
        found["remoteEndpoint"] = {"serviceName": peer}
    if span.links:
        found["tags"]["links"] = ", ".join(f"{link.context.trace_id:032x}" for link in span.links)
    if span.status.status_code is StatusCode.ERROR:
        found["tags"]["error"] = span.status.description or "failed"
    return found


def _peer(kind: SpanKind, attributes: Mapping[str, Any]) -> str | None:
    if kind in {SpanKind.PRODUCER, SpanKind.CONSUMER}:
        return str(attributes.get("messaging.system", "")) or None
    return str(attributes.get("peer.service", "")) or None


def _told(name: str, attributes: Mapping[str, Any] | None) -> str:
    return " ".join([name, *(f"{key}={_text(value)}" for key, value in (attributes or {}).items())])


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
