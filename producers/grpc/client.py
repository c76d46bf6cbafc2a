"""Channels to gRPC services. Stubs are made on them, and no call of such a stub is without a deadline."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlsplit

import grpc
from pydantic import AfterValidator

from cdc.context import MessageContext, carried
from cdc.deadline import current_deadline
from cdc.tracing.spans import Doing, doing
from producers.calling.settings import CallSettings
from producers.calling.target import Target
from producers.discovery.service_url import HTTP, Address, read
from producers.grpc.connections import Connections
from producers.grpc.context import current_context
from producers.grpc.errors import LEAST_S

RESERVE_S = 0.01
"""What a caller keeps of its time, to say something else when no answer came."""

OPTIONS = {
    "grpc.enable_retries": 0,  # whoever calls decides what is asked again
    "grpc.enable_http_proxy": 0,  # a proxy meant for the outside has no business between two services
    "grpc.max_receive_message_length": 4 * 1024 * 1024,
    # a service that is back is found in a second, not in two minutes
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 1_000,
    # and one that is silent is given up, as the kernel would after a quarter of an hour
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 2_000,
    "grpc.http2.max_pings_without_data": 0,  # also where nothing has come for long, as on a stream
}


def _grpc_url(url: str) -> str:
    address, parts = read(url), urlsplit(url)
    if parts.scheme in HTTP and (address.path or parts.port is None):
        raise ValueError("must be http://host:port, or https://host:port with TLS")
    return url


GrpcUrl = Annotated[str, AfterValidator(_grpc_url)]


class Channel:
    """What stubs are made on; they are called as `stub.GetUser(request)`, with nothing about time.

    A call may take what remains of `current_deadline()` but for a reserve, and never more than `longest_s`. It raises
    `grpc.aio.AioRpcError`, or DeadlineExceededError when there is no time to begin.

    It goes to any instance of the service: to another one where nothing was sent, and where the call is lost that
    `is_read`. When the service is not called, as it failed too often, that is an AioRpcError as well, UNAVAILABLE.

    Args:
        longest_s: What a call may take at most, in seconds.
        connections: Where the calls go.
    """

    def __init__(self, connections: Connections, *, longest_s: float) -> None:
        self._connections = connections
        self._longest_s = longest_s

    @property
    def target(self) -> Target:
        """What is known of the service."""
        return self._connections.target

    async def ready(self, timeout_s: float) -> None:
        """Return when it is known where the service is, or that this cannot be said, or the time is over."""
        await self._connections.ready(timeout_s)

    def unary_unary(self, *method: Any, **codecs: Any) -> Callable[..., Any]:
        async def ask(
            request: Any, *, context: MessageContext | None = None, is_read: bool = False
        ) -> Any:
            around = context or current_context()

            async def over(channel: Any, remaining_s: float) -> Any:
                call = channel.unary_unary(*method, **codecs)
                with self._span(method[0], around) as span:
                    return await call(
                        request, timeout=remaining_s, metadata=tuple(carried(span.context).items())
                    )

            return await self._connections.call(over, self._timeout_s(), is_read=is_read)

        return ask

    def unary_stream(self, *method: Any, **codecs: Any) -> Callable[..., Any]:
        def follow(request: Any, *, context: MessageContext | None = None) -> Any:
            """Return the call, to iterate over and to cancel: who does not read to the end leaves it open."""
            call = self._connections.chosen().unary_stream(*method, **codecs)
            return call(
                request,
                timeout=self._timeout_s(),
                metadata=tuple(carried(context or current_context()).items()),
            )

        return follow

    def _span(self, method: str, context: MessageContext) -> Doing:
        span = doing(method.lstrip("/"), context, "client")
        if span.is_recorded:
            span.attributes |= {
                "rpc.system.name": "grpc",
                "rpc.method": method.lstrip("/"),
                "peer.service": self.target.name,
            }
        return span

    def _timeout_s(self) -> float:
        deadline = current_deadline()
        if deadline is None:
            return self._longest_s
        return min(deadline.require(RESERVE_S + LEAST_S) - RESERVE_S, self._longest_s)


@asynccontextmanager
async def open_channel(
    url: str, *, longest_s: float, name: str = "", settings: CallSettings | None = None
) -> AsyncIterator[Channel]:
    """Open a channel and close it at the end. It connects when it is used, and again when that is lost.

    Args:
        url: Where the service is, see `GrpcUrl`.
        longest_s: What a call may take at most, in seconds.
        name: The service, in logs and figures.
        settings: Bounds of the calls; the usual ones if there are none.
    """
    settings = settings or CallSettings()
    instances = settings.instances_at(url)
    target = Target(name or url, settings, instances=instances)
    connections = Connections(target, instances, partial(_opened, instances.address))
    async with connections.open():
        yield Channel(connections, longest_s=longest_s)


@asynccontextmanager
async def open_channel_if(
    url: str | None, *, longest_s: float, name: str = "", settings: CallSettings | None = None
) -> AsyncIterator[Channel | None]:
    """Do as `open_channel` does; None where a service that can be done without has no address."""
    if url is None:
        yield None
        return
    async with open_channel(url, longest_s=longest_s, name=name, settings=settings) as channel:
        yield channel


def _opened(address: Address, authority: str) -> grpc.aio.Channel:
    options = tuple(OPTIONS.items())
    if address.is_secure:
        return grpc.aio.secure_channel(authority, grpc.ssl_channel_credentials(), options)
    return grpc.aio.insecure_channel(authority, options)
