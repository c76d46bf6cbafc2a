"""Runs a gRPC service until it is asked to stop: health, reflection, bounded connections and an orderly end."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from cdc.logs import FieldLogger
from cdc.service import FAILURE, NOT_STARTED, StartError
from cdc.signals import STOP
from producers.discovery.registration import Registration
from producers.grpc import streams
from producers.grpc.interceptor import Calls
from producers.grpc.metrics import telling
from producers.rest.settings import ListenerSettings

GRACE_S = 10.0  # how long calls that are under way may take when the service is to stop
LAST_ANSWERS_S = 0.2  # until what was answered last is on its way
MAX_CALLS = 1000  # at once; more are refused, with RESOURCE_EXHAUSTED or CANCELLED

OPTIONS = {
    "grpc.so_reuseport": 0,  # a port that somebody else has is refused, not shared
    "grpc.max_receive_message_length": 1024 * 1024,
    # callers find new instances when they connect anew
    "grpc.max_connection_age_ms": 60_000,
    "grpc.max_connection_age_grace_ms": int(streams.LONGEST_S * 1000) + 10_000,
    # our own callers ask whether the connection lives
    "grpc.http2.min_ping_interval_without_data_ms": 5_000,
    # and so is asked of callers, of whom those are gone that lost their network
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.http2.max_pings_without_data": 0,
}

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offered:
    """One service of a proto, as a server offers it."""

    name: str  # full name in the proto, by which health and reflection know it
    servicer: Any
    add: Callable[[Any, Any], None]  # `add_<Name>Servicer_to_server`, as generated


Opening = AbstractAsyncContextManager[Sequence[Offered]]
"""Opens what a service needs, gives what it offers, and closes it again: `open_service` of a `bootstrap.py`."""


@dataclass(slots=True)
class Running:
    """A server that is listening."""

    port: int
    calls: Calls
    server: Any
    health: Any

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Say that nothing more is served, end the streams, wait for calls under way, and end what takes too long."""
        await self.health.enter_graceful_shutdown()
        self.calls.streams.end()
        stopping = asyncio.create_task(self.server.stop(grace_s))
        # those who watch our health stay for as long as we listen, and are not waited for
        idle = asyncio.create_task(self.calls.idle.wait())
        await asyncio.wait({stopping, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        await self.server.stop(LAST_ANSWERS_S)
        await stopping


@asynccontextmanager
async def listening(
    offered: Sequence[Offered], *, host: str, port: int, calls: Calls | None = None
) -> AsyncIterator[Running]:
    """Serve until the block ends; port 0 is any that is free.

    Raises:
        StartError: the address is taken.
    """
    calls = calls or Calls()
    server = grpc.aio.server(
        interceptors=(calls,), options=tuple(OPTIONS.items()), maximum_concurrent_rpcs=MAX_CALLS
    )
    running = Running(_bound(server, host, port), calls, server, health.aio.HealthServicer())
    for each in offered:
        each.add(each.servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(running.health, server)
    names = [each.name for each in offered]
    reflection.enable_server_reflection(
        (*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
    await server.start()
    for name in ("", *names):
        await running.health.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield running
    finally:
        await running.stop()


def run(
    opening: Opening,
    settings: ListenerSettings,
    registration: Registration,
    metrics_port: int | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 when it could not start (a sentence says why).

    Args:
        metrics_port: Where metrics are told; None for nowhere.
    """
    try:
        asyncio.run(_serve(opening, settings, registration, metrics_port))
    except NOT_STARTED as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return FAILURE
    return 0


async def _serve(
    opening: Opening,
    settings: ListenerSettings,
    registration: Registration,
    metrics_port: int | None,
) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP:
        loop.add_signal_handler(number, told_to_stop.set)
    async with (
        opening as offered,
        listening(offered, host=settings.host, port=settings.port) as running,
        AsyncExitStack() as beside,
    ):
        if metrics_port is not None:
            told = partial(running.calls.metrics, MAX_CALLS)
            await beside.enter_async_context(telling(told, host=settings.host, port=metrics_port))
        log.info("listening", host=settings.host, port=running.port)
        await registration.begin()
        await told_to_stop.wait()
        await running.health.enter_graceful_shutdown()
        leaving = asyncio.create_task(registration.end())
        for number in STOP:  # told again, it stops at once
            loop.add_signal_handler(number, leaving.cancel)
        await asyncio.wait({leaving})
    log.info("stopped")


def _bound(server: Any, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound: int = server.add_insecure_port(address)
    except RuntimeError as error:
        raise StartError(
            f"cannot listen on {host} port {port}; stop what uses it or set TAILRACE_PORT"
        ) from error
    return bound
