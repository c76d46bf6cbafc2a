"""The metrics of a gRPC service: what is under way, and how long calls take; told by HTTP at a port of its own."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated

import grpc
from prometheus_client import Histogram
from prometheus_client.core import Metric
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdc.health import HealthEndpoints
from cdc.metrics import BOUNDS_S, METRICS, gauge, one, render
from cdc.service import StartError


class MetricsSettings(BaseSettings):
    """Where a service tells metrics that speaks no HTTP."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", frozen=True)

    # nowhere when nothing is said; 0 takes any port that is free
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None


class CallTimes:
    """How long calls take, by method and status."""

    def __init__(self) -> None:
        self._seconds = Histogram(
            "tailrace_rpc_duration_seconds",
            "Time from the arrival of a call to its status; of a stream, to its end.",
            ["method", "code"],
            buckets=BOUNDS_S,
            registry=None,
        )

    def note(self, method: str, code: grpc.StatusCode, took_s: float) -> None:
        """Count a call of a method that is served here: others have no handler, and are not counted."""
        self._seconds.labels(method.lstrip("/"), code.name).observe(took_s)

    def collect(self) -> Iterator[Metric]:
        yield from self._seconds.collect()


def load_metrics(*, calls: int, most_calls: int, streams: int, most_streams: int) -> list[Metric]:
    """Return how much is under way, of how much may be."""
    return [
        gauge("tailrace_rpcs_in_flight", "Calls under way.", one(calls)),
        gauge(
            "tailrace_rpcs_in_flight_limit",
            "Calls that may be under way; what comes on top is refused.",
            one(most_calls),
        ),
        gauge("tailrace_rpc_streams_open", "Streams that are open.", one(streams)),
        gauge("tailrace_rpc_streams_limit", "Streams that may be open.", one(most_streams)),
    ]


@asynccontextmanager
async def telling(
    told: Callable[[], Iterable[Metric]], *, host: str, port: int
) -> AsyncIterator[int]:
    """Tell metrics while the block runs; give the port.

    Raises:
        StartError: the address is taken.
    """
    endpoints = HealthEndpoints({METRICS: lambda: (HTTPStatus.OK, render(told()))})
    try:
        bound = endpoints.bind(host, port)
    except OSError as error:
        raise StartError(
            f"cannot listen on {host} port {port} for metrics; stop what uses it or set TAILRACE_METRICS_PORT"
        ) from error
    await endpoints.start()
    try:
        yield bound
    finally:
        await endpoints.stop()
