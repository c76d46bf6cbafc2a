"""What belongs to one request from its arrival to its answer: correlation, trace, log line, last resort."""

import time
from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdc.context import CORRELATION_ID, TRACEPARENT, MessageContext, context_from, is_sampled
from cdc.logs import FieldLogger
from cdc.thinning import CLIENTS
from cdc.tracing.spans import Doing, span_id_of
from producers.rest.access.principal import PRINCIPAL, Principal
from producers.rest.figures import WATCHED
from producers.rest.metrics import RequestTimes
from producers.rest.problems import ProblemError, response_of

ABANDONED = 499
"""What is logged as the status where the client hung up before it was answered; nobody receives it."""
_TRACEPARENT = TRACEPARENT.encode()
_IDS = frozenset({CORRELATION_ID.encode(), _TRACEPARENT})
LONGEST_PATH = 500  # as told in a trace

log = FieldLogger(__name__)
log_refused = FieldLogger(__name__ + CLIENTS)


class RequestContext:
    """ASGI middleware: gives each request a `MessageContext`, logs what is remarkable, answers what nobody caught.

    Args:
        app: What is served.
        log_from_s: Seconds that a request takes at least to be logged although it was answered well.
        times: Where each request is counted.
    """

    def __init__(self, app: ASGIApp, log_from_s: float, times: RequestTimes) -> None:
        self._app = app
        self._log_from_s = log_from_s
        self._times = times

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = context_of(scope["headers"])
        is_head = scope["method"] == "HEAD"
        scope.setdefault("state", {}).update(context=context, answer_headers={}, is_head=is_head)
        answer_headers(scope)[CORRELATION_ID] = str(context.correlation_id)
        started, status = time.perf_counter(), 0

        async def send_answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(answer_headers(scope))
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        # HEAD is answered as GET is, and loses its body on the way out
        asked = {**scope, "method": "GET"} if is_head else scope
        with _serving(scope, context) as serving:
            try:
                await self._app(asked, receive, send_answer)
            except Exception:
                log.exception("failed", **_identity(context))
                if status:
                    raise  # the answer is under way already: only closing the connection shows that it is broken
                await _last_resort(scope, receive, send_answer)
            finally:
                took_s, status = time.perf_counter() - started, status or ABANDONED
                self._times.note(asked, status, took_s)
                is_slow = took_s >= self._log_from_s and scope["path"] not in WATCHED
                if status >= 400 or is_slow:
                    _log_request(scope, context, status, took_s)
                if serving.is_recorded:
                    _describe(serving, scope["method"], asked, status)


def context_of(headers: Iterable[tuple[bytes, bytes]]) -> MessageContext:
    """Return the context of a request.

    Args:
        headers: Names, in lower case, and values; of several with one name the first one counts.
    """
    sent = [(name, value) for name, value in headers if name in _IDS]
    return context_from({k.decode("latin-1"): v.decode("latin-1") for k, v in reversed(sent)})


def answer_headers(scope: Scope) -> dict[str, str]:
    """Return the headers of the request's answer, whatever that will be; more may be put in until it begins."""
    headers: dict[str, str] = scope["state"]["answer_headers"]
    return headers


async def _current(request: Request) -> MessageContext:
    # A coroutine, as all dependencies here: plain functions cost a trip through a thread.
    context: MessageContext = request.scope["state"]["context"]
    return context


Context = Annotated[MessageContext, Depends(_current)]
"""Endpoint parameter that receives the request's context."""


def _identity(context: MessageContext) -> dict[str, object]:
    trace_id = (context.traceparent or "--").split("-")[1]
    return {"correlation_id": context.correlation_id, "trace_id": trace_id}


def _sender(scope: Scope) -> dict[str, object]:
    principal: Principal | None = scope["state"].get(PRINCIPAL)
    if principal is None:
        return {}
    key = {"key": principal.key_id} if principal.key_id else {}
    return {"caller": principal.name, **key}


def _log_request(scope: Scope, context: MessageContext, status: int, duration_s: float) -> None:
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "duration_ms": f"{duration_s * 1000:.1f}",
        **_identity(context),
        **_sender(scope),
    }
    if status >= 500:
        log.warning("request", **fields)
    else:
        (log_refused if status >= 400 else log).info("request", **fields)


def _serving(scope: Scope, context: MessageContext) -> Doing:
    """Return the span of a request, of which the context is that already."""
    if not is_sampled(context.traceparent) or scope["path"] in WATCHED:
        return Doing("", context, records=False)
    sent = next((value for name, value in scope["headers"] if name == _TRACEPARENT), b"")
    parent = span_id_of(sent.decode("latin-1"))
    return Doing(scope["method"], context, parent=parent, kind="server")


def _describe(serving: Doing, method: str, scope: Scope, status: int) -> None:
    """Tell of an answered request by the path that is declared, which has no ids in it."""
    route = getattr(scope.get("route"), "path", "")
    serving.rename(f"{method} {route}".rstrip())
    serving.attributes |= {
        "http.request.method": method,
        "http.response.status_code": status,
        "url.path": scope["path"][:LONGEST_PATH],
        "messaging.message.conversation_id": str(serving.context.correlation_id),
    }
    if route:
        serving.attributes["http.route"] = route
    if status >= 500:
        serving.error = str(status)


async def _last_resort(scope: Scope, receive: Receive, send: Send) -> None:
    error = ProblemError(
        500,
        "internal error; the log of the service has more under the correlation id",
    )
    await response_of(error, Request(scope))(scope, receive, send)
