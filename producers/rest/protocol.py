"""A connection of a client: served by uvicorn, and given up when it keeps the service waiting."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from cdc.ids import new_id
from cdc.logs import FieldLogger
from cdc.thinning import CLIENTS
from producers.rest import limits
from producers.rest.event_stream import TELLING
from producers.rest.grammar import StrictConnection
from schemas.rest.problem import MEDIA_TYPE, Problem

PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"

log = FieldLogger(__name__ + CLIENTS)


class Awaited(StrEnum):
    """What a connection waits for, of its client."""

    HEAD = "a request"
    BODY = "a body"
    READING = "the client to read"
    END = "the client to hang up"

    @property
    def timeout_s(self) -> float:
        return {
            Awaited.HEAD: limits.HEAD_TIMEOUT_S,
            Awaited.BODY: limits.BODY_TIMEOUT_S + limits.BODY_GRACE_S,
            Awaited.READING: limits.ANSWER_TIMEOUT_S,
            Awaited.END: limits.LINGER_S,
        }[self]


class Lingering:
    """A transport that is closed in a way of its own, and sends what is written in one turn of the loop at once.

    Head and body of an answer are written apart. Sent apart, each costs a call of the system, and its reader a turn.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        close: Callable[[asyncio.Transport], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._transport = transport
        self._close = close
        self._loop = loop
        self._written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self.flush)
        self._written.append(data)

    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        self.flush()
        self._close(self._transport)

    def flush(self) -> None:
        """Send what was written at once."""
        written, self._written = self._written, []
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))


class ProblemProtocol(H11Protocol):
    """HTTP/1.1 that answers what is no request with a problem, and waits for nobody for long.

    Nothing is timed while requests are served: the server looks at all connections once a second, and what has waited
    for the same thing for too long is closed.
    """

    connections: set["ProblemProtocol"]  # type: ignore[assignment]
    transport: Lingering  # type: ignore[assignment]
    cycle: RequestResponseCycle | None  # type: ignore[assignment]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn: StrictConnection = StrictConnection()
        self.opened_at = self.loop.time()
        self._awaited: tuple[Awaited, object] | None = None
        self._since = self.opened_at
        self._refused = False

    def connection_made(self, transport: Any) -> None:
        """Take the connection; with too many, the one goes that has been idle for longest."""
        super().connection_made(Lingering(transport, self.hang_up, self.loop))  # type: ignore[arg-type]
        if len(self.connections) > limits.max_connections():
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take bytes; who was refused may say what he likes."""
        if not self._refused:
            super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a request that is complete, though nothing follows it."""
        self.transport.flush()  # the loop closes the connection if this is said to be its end
        cycle = self.cycle
        if self._refused or not cycle or cycle.response_complete or cycle.more_body:
            return False
        if _is_telling(cycle):
            return False
        cycle.keep_alive = False
        self.loop.call_later(limits.HALF_CLOSED_S, self._knock, cycle)
        return True

    def _knock(self, cycle: RequestResponseCycle) -> None:
        """Find out whether a client that says no more still listens: only sending something to it tells.

        What is sent asks for nothing and means nothing. Where nobody listens, the next time fails.
        """
        if _is_telling(cycle):
            self.transport.close()
        if cycle.response_started or cycle.disconnected or self.transport.is_closing():
            return
        if cycle.scope["http_version"] != "1.0":  # which knows of no answers before the answer
            self.transport.write(PROCESSING)
        self.loop.call_later(limits.HALF_CLOSED_S, self._knock, cycle)

    def send_400_response(self, msg: str) -> None:
        """Answer and hang up: where the next request would begin is unknown."""
        refusal = self.conn.refusal
        self.refuse(refusal.error_status_hint, str(refusal))

    def refuse(self, status: int, detail: str, *headers: tuple[str, str]) -> None:
        """Answer with a problem, if no answer has begun, and let the client read it before hanging up."""
        self._refused = True
        self._unset_keepalive_if_required()
        if self.cycle and self.conn.our_state is h11.SEND_BODY:
            self.cycle.keep_alive = False
            return
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.write(self._problem(status, detail, headers))
        if self.cycle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write_eof()

    def hang_up(self, transport: asyncio.Transport) -> None:
        """Close the connection, later if the client is still sending: a reset would keep it from reading why."""
        if (
            self.conn.their_state is h11.SEND_BODY
            and transport.can_write_eof()
            and not transport.is_closing()
        ):
            self._refused = True
            transport.write_eof()
        else:
            transport.close()

    def shutdown(self) -> None:
        """Close the connection, after the answer that is under way."""
        if self._refused:
            self.transport.abort()
        else:
            super().shutdown()

    def check(self, now_s: float) -> None:
        """Close the connection if it has waited for too long."""
        awaited = self._awaits()
        if awaited != self._awaited:
            # A new connection has waited for its first request since it was made.
            fresh = self._awaited is None and self.cycle is None
            self._awaited, self._since = awaited, self.opened_at if fresh else now_s
        if awaited and now_s - self._since >= awaited[0].timeout_s:
            self._give_up(awaited[0])

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be lost for the service by closing the connection."""
        closing = self._refused or self.transport.is_closing()
        return not closing and self.conn.their_state is h11.IDLE and not self.flow.write_paused

    def _awaits(self) -> tuple[Awaited, object] | None:
        """Return what the client owes, and in which exchange; nothing while the service itself is at work."""
        if self._refused or self.transport.is_closing():
            return Awaited.END, None
        if self.flow.write_paused:
            return Awaited.READING, self.cycle
        states = {h11.IDLE: Awaited.HEAD, h11.SEND_BODY: Awaited.BODY}
        awaited = states.get(self.conn.their_state)
        return (awaited, self.cycle) if awaited else None

    def _give_up(self, awaited: Awaited) -> None:
        if awaited is not Awaited.END:
            log.info("closed", waited_for=awaited.value, for_s=f"{awaited.timeout_s:g}")
        if awaited is not Awaited.HEAD:
            self.transport.abort()
        elif self.conn.trailing_data[0]:
            self.refuse(408, f"the request did not arrive within {awaited.timeout_s:g} seconds")
        else:
            self.transport.close()

    def _make_room(self) -> None:
        """Close the connection that was made first of those without a request, rather one that never had one."""
        idle = [other for other in self.connections if other is not self and other.is_idle]
        log.warning("too many connections", idle=len(idle))
        if idle:
            oldest = min(idle, key=lambda other: (other.cycle is not None, other.opened_at))
            oldest.transport.abort()
        else:
            self.refuse(503, "too many connections are open; try again", ("retry-after", "1"))

    def _problem(self, status: int, detail: str, more: tuple[tuple[str, str], ...]) -> bytes:
        correlation_id, phrase = str(new_id()), HTTPStatus(status).phrase
        log.info("refused", status=status, reason=detail, correlation_id=correlation_id)
        problem = Problem(title=phrase, status=status, detail=detail, correlation_id=correlation_id)
        body = problem.model_dump_json(exclude_none=True).encode()
        headers = (
            *((name.decode(), value.decode()) for name, value in self.server_state.default_headers),
            ("content-type", MEDIA_TYPE),
            ("content-length", str(len(body))),
            ("connection", "close"),
            ("x-correlation-id", correlation_id),
            *more,
        )
        lines = [f"HTTP/1.1 {status} {phrase}", *(": ".join(header) for header in headers)]
        return "\r\n".join((*lines, "", "")).encode() + body

    def _should_upgrade(self) -> bool:
        return False  # whoever offers another protocol is answered in this one


def _is_telling(cycle: RequestResponseCycle) -> bool:
    """Tell whether an answer has no end that a client could wait for that has said all."""
    return TELLING in cycle.scope.get("state", {})
