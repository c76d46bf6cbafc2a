"""Channels to gRPC services. Stubs are made on them, and no call of such a stub is without a deadline."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import grpc
from pydantic import AfterValidator

from cdc.context import MessageContext
from cdc.deadline import current_deadline
from producers.grpc.calls import LEAST_S
from producers.grpc.context import Metadata, current_context, metadata_of

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
}


def _grpc_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.port:
        raise ValueError("must be http://host:port, or https://host:port with TLS")
    return url


GrpcUrl = Annotated[str, AfterValidator(_grpc_url)]


class Channel:
    """What stubs are made on; they are called as `stub.GetUser(request)`, with nothing about time.

    A call may take what remains of `current_deadline()` but for a reserve, and never more than `longest_s`. It raises
    `grpc.aio.AioRpcError`, or DeadlineExceededError when there is no time to begin.

    Args:
        longest_s: What a call may take at most, in seconds.
        channel: Where the calls go.
    """

    def __init__(self, channel: grpc.aio.Channel, *, longest_s: float) -> None:
        self._channel = channel
        self._longest_s = longest_s

    def unary_unary(self, *method: Any, **codecs: Any) -> Callable[..., Any]:
        call = self._channel.unary_unary(*method, **codecs)

        async def ask(request: Any, *, context: MessageContext | None = None) -> Any:
            return await call(request, timeout=self._timeout_s(), metadata=_metadata(context))

        return ask

    def _timeout_s(self) -> float:
        deadline = current_deadline()
        if deadline is None:
            return self._longest_s
        return min(deadline.require(RESERVE_S + LEAST_S) - RESERVE_S, self._longest_s)


@asynccontextmanager
async def open_channel(url: str, *, longest_s: float) -> AsyncIterator[Channel]:
    """Open a channel and close it at the end. It connects when it is used, and again when that is lost.

    Args:
        url: Address of the service, see `GrpcUrl`.
        longest_s: What a call may take at most, in seconds.
    """
    parts, options = urlsplit(url), tuple(OPTIONS.items())
    channel = (
        grpc.aio.secure_channel(parts.netloc, grpc.ssl_channel_credentials(), options)
        if parts.scheme == "https"
        else grpc.aio.insecure_channel(parts.netloc, options)
    )
    async with channel:
        yield Channel(channel, longest_s=longest_s)


@asynccontextmanager
async def open_channel_if(url: str | None, *, longest_s: float) -> AsyncIterator[Channel | None]:
    """Do as `open_channel` does; None where a service that can be done without has no address."""
    if url is None:
        yield None
        return
    async with open_channel(url, longest_s=longest_s) as channel:
        yield channel


def _metadata(context: MessageContext | None) -> Metadata:
    return metadata_of(context or current_context())
