"""Every call that a server takes: its deadline, its context, its log line, and the status of what goes wrong."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import psycopg

from cdc.context import MessageContext
from cdc.deadline import Deadline, within
from cdc.logs import FieldLogger
from cdc.thinning import CLIENTS
from producers.grpc.context import CORRELATION_ID, context_of, serving

LONGEST_S = 5.0
"""What a call may take when its caller sets no deadline, or a later one."""
LEAST_S = 0.005
"""Less time than this is not worth beginning: the answer would come after its caller is gone."""

_SERVED_HERE = "/grpc."  # health and reflection, which are watched for as long as somebody likes
_OUR_FAULT = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
)

log = FieldLogger(__name__)
log_refused = FieldLogger(__name__ + CLIENTS)


class RefusedError(Exception):
    """Ends a call with a status of its own.

    Args:
        code: What programs branch on.
        sentence: What happened, why, what to do next.
    """

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Calls(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc carries no types
    """Serves calls, each within its deadline, and knows how they ended.

    Args:
        longest_s: What a call may take at most, in seconds.
    """

    def __init__(self, *, longest_s: float = LONGEST_S) -> None:
        self.ended: Counter[grpc.StatusCode] = Counter()
        self.idle = asyncio.Event()
        self.idle.set()
        self._open = 0
        self._longest_s = longest_s

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        handler = await continuation(details)
        if handler is None or details.method.startswith(_SERVED_HERE):
            return handler
        if handler.request_streaming or handler.response_streaming:
            raise NotImplementedError(f"{details.method} streams, and streams are not bounded here")
        return handler._replace(unary_unary=self._answering(details.method, handler.unary_unary))

    def _answering(self, method: str, handle: Callable[..., Any]) -> Callable[..., Any]:
        async def answer(request: Any, context: Any) -> Any:
            async with self._call(method, context):
                return await handle(request, context)

        return answer

    @asynccontextmanager
    async def _call(self, method: str, context: Any) -> AsyncIterator[None]:
        carried = context_of(context.invocation_metadata() or ())
        context.set_trailing_metadata(((CORRELATION_ID, str(carried.correlation_id)),))
        deadline = self._deadline(context.time_remaining())
        started, code = time.perf_counter(), grpc.StatusCode.OK
        self._count(1)
        try:
            remaining_s = deadline.require(LEAST_S)
            with within(deadline), serving(carried):
                async with asyncio.timeout(remaining_s):
                    yield
        except asyncio.CancelledError:
            code = _of_cancelled(deadline)
            raise
        except grpc.aio.AbortError:
            code = context.code()
            raise
        except Exception as error:
            code, sentence = _status_of(error)
            if code is grpc.StatusCode.INTERNAL:
                log.exception("failed", method=method, correlation_id=carried.correlation_id)
            await context.abort(code, sentence)
        finally:
            self._count(-1)
            self.ended[code] += 1
            _log_call(method, code, time.perf_counter() - started, carried)

    def _deadline(self, remaining_s: float | None) -> Deadline:
        """Return when a call has to be done; the caller's time is None where it sets no deadline."""
        return Deadline.after(
            self._longest_s if remaining_s is None else min(remaining_s, self._longest_s)
        )

    def _count(self, more: int) -> None:
        self._open += more
        (self.idle.clear if self._open else self.idle.set)()


def _of_cancelled(deadline: Deadline) -> grpc.StatusCode:
    """Return whether the caller's time was over, or the caller is gone."""
    is_over = deadline.remaining_s() <= LEAST_S
    return grpc.StatusCode.DEADLINE_EXCEEDED if is_over else grpc.StatusCode.CANCELLED


def _status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    match error:
        case RefusedError():
            return error.code, str(error)
        case TimeoutError() | psycopg.errors.QueryCanceled():
            sentence = "it could not be done in the time that the caller has; ask with more"
            return grpc.StatusCode.DEADLINE_EXCEEDED, sentence
        case psycopg.OperationalError():
            sentence = "the database cannot be reached; nothing was done, try again"
            return grpc.StatusCode.UNAVAILABLE, sentence
    sentence = "internal error; the log of the service has more under the correlation id"
    return grpc.StatusCode.INTERNAL, sentence


def _log_call(
    method: str, code: grpc.StatusCode, duration_s: float, context: MessageContext
) -> None:
    fields = {
        "method": method,
        "code": code.name,
        "duration_ms": f"{duration_s * 1000:.1f}",
        "correlation_id": context.correlation_id,
        "trace_id": (context.traceparent or "--").split("-")[1],
    }
    if code in _OUR_FAULT:
        log.warning("call", **fields)
    else:
        (log if code is grpc.StatusCode.OK else log_refused).info("call", **fields)
