"""Every call that a server takes: its deadline, its context, its log line, and the status of what goes wrong."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from typing import Any

import grpc

from cdc.context import CORRELATION_ID, TRACEPARENT, MessageContext, context_from, is_sampled
from cdc.deadline import Deadline, within
from cdc.logs import FieldLogger
from cdc.metrics import Metric
from cdc.thinning import CLIENTS
from cdc.tracing.spans import Doing, span_id_of
from producers.grpc.context import serving
from producers.grpc.errors import LEAST_S, RefusedError, status_of
from producers.grpc.metrics import CallTimes, load_metrics
from producers.grpc.streams import Stream, Streams

LONGEST_S = 5.0
"""What a call may take when its caller sets no deadline, or a later one."""
AGAIN = "grpc-retry-pushback-ms"
"""Trailing metadata, as gRPC itself has them, by which a server says when to ask again."""

_SERVED_HERE = "/grpc."  # health and reflection, which are watched for as long as somebody likes
_TROUBLE = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
)

log = FieldLogger(__name__)
log_refused = FieldLogger(__name__ + CLIENTS)

Bound = Callable[[float | None], AbstractAsyncContextManager[None]]
"""Bounds what is done inside, by the seconds that its caller waits, if it says so."""
Settled = Callable[[], Awaitable[None]]
"""Returns when a status can be sent."""


async def _at_once() -> None:
    """Return: nothing else is being sent."""


class Calls(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc carries no types
    """Serves calls, each within its deadline, and knows how they ended.

    Args:
        longest_s: What a call may take at most, in seconds; one that is answered by a stream has bounds of its own.
        streams: Those streams.
    """

    def __init__(self, *, longest_s: float = LONGEST_S, streams: Streams | None = None) -> None:
        self.ended: Counter[grpc.StatusCode] = Counter()
        self.times = CallTimes()
        self.idle = asyncio.Event()
        self.idle.set()
        self.streams = streams or Streams()
        self._open = 0
        self._longest_s = longest_s

    def metrics(self, most: int) -> Iterator[Metric]:
        """Yield how long calls took, and how many are under way.

        Args:
            most: How many may be.
        """
        yield from self.times.collect()
        yield from load_metrics(
            calls=self._open,
            most_calls=most,
            streams=self.streams.open,
            most_streams=self.streams.bounds.most,
        )

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(_SERVED_HERE):
            return handler
        if handler.request_streaming:
            raise NotImplementedError(
                f"{details.method} takes a stream, and those are not bounded here"
            )
        # what cannot be read is a call as well: grpc would answer it with the words of an exception, and log nothing
        unread = handler._replace(request_deserializer=None)
        if handler.response_streaming:
            return unread._replace(unary_stream=self._streaming(details.method, handler))
        return unread._replace(unary_unary=self._answering(details.method, handler))

    def _answering(self, method: str, handler: Any) -> Callable[..., Any]:
        async def answer(request: bytes, context: Any) -> Any:
            async with self._call(method, context, self._within_time):
                return await handler.unary_unary(handler.request_deserializer(request), context)

        return answer

    def _streaming(self, method: str, handler: Any) -> Callable[..., Any]:
        async def answer(request: bytes, context: Any) -> None:
            stream = Stream()
            bound = partial(self.streams.lasting, stream)
            try:
                async with self._call(method, context, bound, stream.settled):
                    asked = handler.request_deserializer(request)
                    async with aclosing(handler.unary_stream(asked, context)) as messages:
                        async for message in messages:
                            await stream.write(context, message)
            finally:
                self.streams.forget(stream)

        return answer

    @asynccontextmanager
    async def _call(
        self, method: str, context: Any, bound: Bound, settled: Settled = _at_once
    ) -> AsyncIterator[None]:
        """Serve a call inside of the block; count and log it at the end, and have its caller hear of that."""
        metadata = context.invocation_metadata() or ()
        said = {name: value for name, value in metadata if isinstance(value, str)}
        carried = context_from(said)
        trailing: tuple[tuple[str, str], ...] = ((CORRELATION_ID, str(carried.correlation_id)),)
        context.set_trailing_metadata(trailing)
        span = _serving(method, carried, said.get(TRACEPARENT))
        started = time.perf_counter()

        def tell_end(code: grpc.StatusCode, *, is_trouble: bool) -> None:
            took_s = time.perf_counter() - started
            self.times.note(method, code, took_s)
            _tell_end(span, method, took_s, carried, code, is_trouble=is_trouble)

        self._count(1)
        with span:
            try:
                with serving(carried):
                    async with bound(context.time_remaining()):
                        yield
            except asyncio.CancelledError:
                self._ended(_of_cancelled(context.time_remaining()), tell_end)
                raise
            except grpc.aio.AbortError:
                self._ended(context.code(), tell_end)
                raise
            except Exception as error:
                code, sentence = status_of(error)
                if code is grpc.StatusCode.INTERNAL:
                    log.exception("failed", method=method, correlation_id=carried.correlation_id)
                again_in_ms = error.again_in_ms if isinstance(error, RefusedError) else None
                if again_in_ms is not None:
                    trailing = (*trailing, (AGAIN, str(again_in_ms)))
                self._ended(code, tell_end, is_meant=again_in_ms is not None)
                await settled()
                await context.abort(code, sentence, trailing)
            else:
                self._ended(grpc.StatusCode.OK, tell_end)

    @asynccontextmanager
    async def _within_time(self, remaining_s: float | None) -> AsyncIterator[None]:
        """Bound an answer; the caller's time is None where it sets no deadline."""
        deadline = Deadline.after(
            self._longest_s if remaining_s is None else min(remaining_s, self._longest_s)
        )
        with within(deadline):
            async with asyncio.timeout(deadline.require(LEAST_S)):
                yield

    def _ended(
        self, code: grpc.StatusCode, tell_end: Callable[..., None], *, is_meant: bool = False
    ) -> None:
        self._count(-1)
        self.ended[code] += 1
        tell_end(code, is_trouble=code in _TROUBLE and not is_meant)

    def _count(self, more: int) -> None:
        self._open += more
        (self.idle.clear if self._open else self.idle.set)()


def _of_cancelled(remaining_s: float | None) -> grpc.StatusCode:
    """Return whether the caller's time was over, or the caller is gone."""
    is_over = remaining_s is not None and remaining_s <= LEAST_S
    return grpc.StatusCode.DEADLINE_EXCEEDED if is_over else grpc.StatusCode.CANCELLED


def _serving(method: str, context: MessageContext, sent: str | None) -> Doing:
    """Return the span of a call, of which the context is that already.

    Args:
        sent: The trace context of whoever calls.
    """
    parent = span_id_of(sent) if is_sampled(context.traceparent) else None
    return Doing(method.lstrip("/"), context, parent=parent, kind="server")


def _tell_end(
    span: Doing,
    method: str,
    took_s: float,
    context: MessageContext,
    code: grpc.StatusCode,
    *,
    is_trouble: bool,
) -> None:
    if span.is_recorded:
        span.attributes |= {
            "rpc.system.name": "grpc",
            "rpc.method": method.lstrip("/"),
            "rpc.response.status_code": code.name,
            "messaging.message.conversation_id": str(context.correlation_id),
        }
        span.error = code.name if is_trouble else ""
    _log_call(method, took_s, context, code, is_trouble=is_trouble)


def _log_call(
    method: str,
    took_s: float,
    context: MessageContext,
    code: grpc.StatusCode,
    *,
    is_trouble: bool,
) -> None:
    fields = {
        "method": method,
        "code": code.name,
        "duration_ms": f"{took_s * 1000:.1f}",
        "correlation_id": context.correlation_id,
        "trace_id": (context.traceparent or "--").split("-")[1],
    }
    if is_trouble:
        log.warning("call", **fields)
    else:
        (log if code is grpc.StatusCode.OK else log_refused).info("call", **fields)
