"""Spans as they leave: for Zipkin by our own hand, and for others by OpenTelemetry's."""

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from cdc.tracing.export import readable
from cdc.tracing.spans import Event, Span
from cdc.tracing.zipkin import encoded

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = Span(
    name="process order.events",
    traceparent=f"00-{TRACE}-00000000000000a1-01",
    parent="00000000000000b2",
    begin_ns=1_700_000_000_123_456_789,
    end_ns=1_700_000_000_223_456_789,
    kind="consumer",
    service="payments-worker",
    attributes={"messaging.system": "kafka", "messaging.kafka.offset": 7, "is_bulk": True},
    events=[Event("handler failed", 1_700_000_000_200_000_000, {"error": "ValueError"})],
    links=[f"00-{TRACE[::-1]}-00000000000000c3-01"],
    error="ValueError",
)
BARE = Span("wait", f"00-{TRACE}-00000000000000a1-01", None, 5_000, 5_000, service="orders")


def test_zipkin_is_told_all_of_a_span() -> None:
    assert encoded(readable(SPAN)) == {
        "traceId": TRACE,
        "id": "00000000000000a1",
        "parentId": "00000000000000b2",
        "kind": "CONSUMER",
        "name": "process order.events",
        "timestamp": 1_700_000_000_123_456,
        "duration": 100_000,
        "localEndpoint": {"serviceName": "payments-worker"},
        "remoteEndpoint": {"serviceName": "kafka"},
        "tags": {
            "messaging.system": "kafka",
            "messaging.kafka.offset": "7",
            "is_bulk": "true",
            "error": "ValueError",
            "links": TRACE[::-1],
        },
        "annotations": [
            {"timestamp": 1_700_000_000_200_000, "value": "handler failed error=ValueError"}
        ],
    }


def test_what_takes_no_time_takes_a_microsecond_for_zipkin_which_would_not_show_it() -> None:
    found = encoded(readable(BARE))
    assert (found["timestamp"], found["duration"]) == (5, 1)
    assert not {"parentId", "kind", "remoteEndpoint"} & found.keys()


def test_otlp_has_the_ids_times_and_links_that_were_recorded() -> None:
    [of_resource] = encode_spans([readable(SPAN)]).resource_spans
    told = {each.key: each.value.string_value for each in of_resource.resource.attributes}
    [span] = of_resource.scope_spans[0].spans
    assert told == {"service.name": "payments-worker", "service.namespace": "tailrace"}
    assert (span.trace_id.hex(), span.span_id.hex()) == (TRACE, "00000000000000a1")
    assert span.parent_span_id.hex() == "00000000000000b2"
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (SPAN.begin_ns, SPAN.end_ns)
    assert span.links[0].trace_id.hex() == TRACE[::-1]
    assert (span.events[0].name, span.status.message) == ("handler failed", "ValueError")


def test_a_wait_is_the_same_to_the_byte_whoever_records_it() -> None:
    first, second = (encode_spans([readable(SPAN)]).SerializeToString() for _ in range(2))
    assert first == second
