"""Recording traces: which, what of them, and that nothing of it is there where it is off."""

import asyncio
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from pydantic import ValidationError

from cdc.context import MessageContext, is_sampled, next_traceparent
from cdc.ids import new_id
from cdc.tracing.export import AT_ONCE, MOST_WAITING, exporting, readable
from cdc.tracing.process import traced
from cdc.tracing.settings import TraceSettings
from cdc.tracing.spans import (
    Span,
    beginning,
    derived_id,
    doing,
    figures,
    ns_of,
    recorder,
    span_id_of,
    with_span_id,
)
from infra.local.probe import wait_until
from tests.receiver import Receiver
from tests.tracing import recorded

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
CONTEXT = MessageContext(correlation_id=UUID(int=1), traceparent=PARENT)
TRACES = 4000


def wait(begin_ns: int, end_ns: int) -> Span:
    return Span("wait", PARENT, None, begin_ns, end_ns)


def test_what_begins_where_nothing_is_recorded_says_so() -> None:
    assert not is_sampled(next_traceparent(None))


def test_so_many_traces_are_recorded_as_was_said() -> None:
    with recorded(0.1):
        taken = sum(is_sampled(next_traceparent(None)) for _ in range(TRACES))
    assert 0.05 < taken / TRACES < 0.15
    with recorded(1.0):
        assert all(is_sampled(next_traceparent(None)) for _ in range(100))
    with recorded(0.0):
        assert not any(is_sampled(next_traceparent(None)) for _ in range(100))


@pytest.mark.parametrize(
    ("flags", "is_recorded"), [("00", False), ("01", True), ("02", False), ("ff", True)]
)
def test_the_caller_has_decided_already(flags: str, is_recorded: bool) -> None:  # noqa: FBT001 - as listed above
    with recorded(0.5):
        following = next_traceparent(f"{PARENT[:-2]}{flags}")
    assert following[-2:] == flags
    assert is_sampled(following) is is_recorded


@pytest.mark.parametrize("broken", [None, "", "1", PARENT[:-1], f"{PARENT}1", PARENT.upper()])
def test_what_is_no_trace_context_is_not_recorded(broken: str | None) -> None:
    assert not is_sampled(broken)
    assert span_id_of(broken) is None


def test_something_done_is_a_part_of_what_it_is_done_for() -> None:
    with (
        recorded() as spans,
        doing("outer", CONTEXT) as outer,
        doing("inner", outer.context, "client"),
    ):
        pass
    inner, out = spans
    assert (out.name, out.parent, inner.parent) == (
        "outer",
        "b7ad6b7169203331",
        span_id_of(out.traceparent),
    )
    assert out.begin_ns <= inner.begin_ns <= inner.end_ns <= out.end_ns
    assert {span_id_of(each.traceparent) for each in spans}.isdisjoint({"b7ad6b7169203331"})


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, SystemExit])
def test_what_fails_is_recorded_as_failed_and_fails(error: type[BaseException]) -> None:
    with recorded() as spans, pytest.raises(error), doing("done", CONTEXT):
        raise error
    assert spans.one("done").error == error.__name__


def test_nothing_is_recorded_of_a_trace_that_is_not() -> None:
    unrecorded = replace(CONTEXT, traceparent=f"{PARENT[:-2]}00")
    with recorded() as spans, doing("done", unrecorded) as done:
        assert done.context is unrecorded
        assert not done.is_recorded
    assert spans == []


def test_without_a_recorder_the_context_goes_on_as_it_is() -> None:
    with doing("done", CONTEXT) as done, beginning("begun", CONTEXT) as begun:
        assert done.context is CONTEXT
        assert not is_sampled(begun.context.traceparent)
    assert figures() == {}


@pytest.mark.parametrize(
    ("short_ns", "clamped"),
    [(-5_000_000, 0), (0, 0), (999_999, 0), (1_000_000, 0), (1_000_001, 1), (3_600_000_000_000, 1)],
)
def test_a_wait_of_less_than_nothing_is_none_and_counted_where_no_rounding_explains_it(
    short_ns: int, clamped: int
) -> None:
    begin = time.time_ns()
    with recorded() as spans:
        spans.recorder.wait(wait(begin, begin - short_ns))
        assert figures() == {"recorded": 1, "sent": 0, "lost": 0, "clamped": clamped}
    [span] = spans
    assert span.end_ns == begin - short_ns
    assert span.begin_ns == min(begin, begin - short_ns)
    assert ("tailrace.clock_skew_ms" in span.attributes) == bool(clamped)


def test_ids_that_are_derived_are_the_same_each_time_and_differ_by_what_they_are_of() -> None:
    message_id = new_id()
    found = {derived_id(message_id, *of) for of in ((), ("a",), ("a", "b"), ("ab",))}
    assert len(found) == 4
    assert derived_id(message_id, "a", "b") == derived_id(message_id, "a", "b")
    context = with_span_id(PARENT, derived_id(message_id))
    assert is_sampled(context)
    assert span_id_of(context) == derived_id(message_id)


def test_times_keep_their_microseconds() -> None:
    assert ns_of(datetime(2026, 11, 29, 1, 2, 3, 456_789, UTC)) == 1_795_914_123_456_789_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"traces_url": "collector:4318"},
        {"traces_url": "ftp://collector"},
        {"traces_url": "http://"},
        {"traces_url": "http://me:secret@collector/v1/traces"},
        {"traces_sample_rate": 1.1},
        {"traces_sample_rate": -0.1},
        {"traces_sample_rate": float("nan")},
        {"traces_format": "jaeger"},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TraceSettings.model_validate(wrong)


@pytest.mark.parametrize(
    ("url", "format_", "endpoint"),
    [
        ("http://collector:4318", "otlp", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "otlp", "http://collector:4318/v1/traces"),
        ("http://collector:4318/own/way", "otlp", "http://collector:4318/own/way"),
        ("http://zipkin:9411", "zipkin", "http://zipkin:9411/api/v2/spans"),
    ],
)
def test_a_url_without_a_path_is_given_the_usual_one(url: str, format_: str, endpoint: str) -> None:
    settings = TraceSettings.model_validate({"traces_url": url, "traces_format": format_})
    assert settings.endpoint == endpoint


def test_without_a_url_nothing_is_recorded_and_no_sdk_is_there() -> None:
    program = (
        "import sys, consumers.payments.bootstrap, consumers.runtime.worker, producers.orders.bootstrap\n"
        "from cdc.tracing.process import traced\n"
        "from cdc.tracing.settings import TraceSettings\n"
        "from cdc.tracing.spans import recorder\n"
        "with traced('payments-worker', TraceSettings()):\n"
        "    assert recorder() is None\n"
        "found = [name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))]\n"
        "assert not found, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("format_", "path"), [("otlp", "/v1/traces"), ("zipkin", "/api/v2/spans")])
def test_spans_are_sent_and_counted(
    monkeypatch: pytest.MonkeyPatch, format_: str, path: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # where nobody is

    async def run() -> None:
        async with Receiver().open() as receiver:
            url = f"http://127.0.0.1:{receiver.port}{path}"
            settings = TraceSettings.model_validate(
                {"traces_url": url, "traces_format": format_, "traces_sample_rate": 1}
            )
            counts = await asyncio.to_thread(record_one, settings)
            assert counts == {"recorded": 1, "sent": 1, "lost": 0, "clamped": 0}
            [request] = receiver.requests
            assert request.line == f"POST {path} HTTP/1.1"
            assert b"measured" in request.body

    asyncio.run(run())


def record_one(settings: TraceSettings) -> dict[str, int]:
    with traced("tested", settings):
        here = recorder()
        assert here is not None
        with beginning("measured", CONTEXT):
            pass
    return here.counts.figures()


def test_a_collector_that_is_away_costs_spans_and_nothing_else(free_tcp_port: int) -> None:
    settings = TraceSettings.model_validate(
        {
            "traces_url": f"http://127.0.0.1:{free_tcp_port}/api/v2/spans",
            "traces_format": "zipkin",
        }
    )
    with exporting("tested", settings) as here:
        here.record(wait(1, 2))
    assert here.counts.figures() == {"recorded": 1, "sent": 0, "lost": 1, "clamped": 0}


def test_what_nobody_takes_is_dropped_and_counted_once_there_is_no_more_room() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = TraceSettings.model_validate(
            {"traces_url": f"http://127.0.0.1:{port}/api/v2/spans", "traces_format": "zipkin"}
        )
        with exporting("tested", settings) as here:
            for _ in range(MOST_WAITING + 3 * AT_ONCE):
                here.record(wait(1, 2))
            assert here.counts.figures()["lost"] >= AT_ONCE


def test_a_span_that_cannot_be_written_is_lost_and_counted_and_the_next_ones_are_not() -> None:
    async def run() -> None:
        async with Receiver().open() as receiver:
            settings = TraceSettings.model_validate(
                {"traces_url": f"http://127.0.0.1:{receiver.port}", "traces_format": "zipkin"}
            )
            with exporting("tested", settings) as here:
                here.record(wait(1, 2)._replace(attributes={"path": "\udcff"}))
                await asyncio.to_thread(
                    wait_until, "nothing is lost", lambda: here.counts.refused == 1, timeout_s=10
                )
                here.record(wait(1, 2))
                await asyncio.to_thread(
                    wait_until, "nothing is sent", lambda: here.counts.sent == 1, timeout_s=10
                )
            assert here.counts.figures() == {"recorded": 2, "sent": 1, "lost": 1, "clamped": 0}

    asyncio.run(run())


@pytest.mark.parametrize("begin", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)])
def test_a_time_that_makes_no_sense_spoils_no_span_beside_it(begin: datetime) -> None:
    with recorded() as spans:
        spans.recorder.wait(wait(ns_of(begin), time.time_ns()))
    [sent] = encode_spans([readable(spans[0])]).resource_spans[0].scope_spans[0].spans
    assert sent.start_time_unix_nano <= sent.end_time_unix_nano
