"""The metrics of a service with a REST API: what `/figures` tells, and how long requests take."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter
from prometheus_client import Histogram
from prometheus_client.core import Metric
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from cdc.metrics import BOUNDS_S, CONTENT_TYPE, METRICS, Values, counter, gauge, one, render
from producers.calling.breaker import State as BreakerState
from producers.rest.figures import figures_of

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""What is shown of methods and paths that a client made up: it could think of any number of them."""

router = APIRouter()


class RequestTimes:
    """How long requests take, by method, route and status."""

    def __init__(self) -> None:
        self._seconds = Histogram(
            "tailrace_http_request_duration_seconds",
            "Time from the arrival of a request to the end of its answer.",
            ["method", "route", "status"],
            buckets=BOUNDS_S,
            registry=None,
        )

    def note(self, scope: Scope, status: int, took_s: float) -> None:
        """Count a request.

        Args:
            scope: Of the request, as the router has left it.
        """
        method = scope["method"] if scope["method"] in METHODS else OTHER
        route = getattr(scope.get("route"), "path", OTHER)
        self._seconds.labels(method, route, str(status)).observe(took_s)

    def collect(self) -> Iterator[Metric]:
        yield from self._seconds.collect()


@router.get(METRICS, include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Tell them as Prometheus reads them."""
    told = render(_metrics(request.app.state))
    return Response(told, headers={"content-type": CONTENT_TYPE})


def _metrics(state: State) -> Iterator[Metric]:
    yield from state.request_times.collect()
    figures = figures_of(state)
    requests, streams, access = figures["requests"], figures["streams"], figures["access"]
    yield gauge(
        "tailrace_http_requests_in_flight", "Requests under way.", one(requests["in_flight"])
    )
    yield gauge(
        "tailrace_http_requests_in_flight_limit",
        "Requests that may be under way; what comes on top is refused.",
        one(requests["most"]),
    )
    yield gauge("tailrace_http_streams_open", "Open streams of events.", one(streams["open"]))
    yield counter(
        "tailrace_http_requests_refused_total",
        "Requests that were not served to their end, by why.",
        {
            **{(why,): requests[why] for why in ("shed", "too_late", "abandoned")},
            **{(why,): access[why] for why in ("denied", "rate_limited")},
            ("streams",): streams["refused"],
        },
        ["reason"],
    )
    yield from _of_calls(figures["calls"])


def _of_calls(calls: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    def of(figure: str) -> Values:
        return {(target,): told[figure] for target, told in calls.items()}

    yield gauge(
        "tailrace_call_breaker_state",
        "Whether the circuit breaker of a service that is called is in a state.",
        {
            (target, state.value): told["state"] == state.value
            for target, told in calls.items()
            for state in BreakerState
        },
        ["target", "state"],
    )
    yield gauge("tailrace_calls_in_flight", "Calls under way.", of("in_flight"), ["target"])
    for figure, about in (
        ("attempts", "Calls that were made."),
        ("failures", "Calls that failed."),
        ("retries", "Calls that were made once more."),
    ):
        yield counter(f"tailrace_call_{figure}_total", about, of(figure), ["target"])
    yield counter(
        "tailrace_calls_refused_total",
        "Calls that were not made: the breaker was open, or too many were under way.",
        {
            (target, reason): told[f"refused_{reason}"]
            for target, told in calls.items()
            for reason in ("open", "full")
        },
        ["target", "reason"],
    )
