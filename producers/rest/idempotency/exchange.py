"""A POST with a key, from its arrival to its answer.

Its answer is known only after the endpoint has returned, and has to be committed with the effect. So the unit of work
that the endpoint opens stays open beyond its block, until what goes out is complete.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdc.database import Connection
from cdc.deadline import current_deadline
from cdc.logs import FieldLogger
from producers.rest.idempotency.key import IDEMPOTENCY_KEY, fingerprint, key_of, passed_on, place_of
from producers.rest.idempotency.transaction import (
    AnsweredError,
    Connect,
    KeptAnswer,
    KeyedTransaction,
)

REPLAYED = "idempotent-replayed"
WAIT_S = 2.0
"""How long a request without a deadline waits for its twin: shorter than callers wait for an answer."""
RESERVE_S = 0.1
"""What is left of a deadline after waiting for a twin, for telling of it."""
SERVER_ERROR = 500

log = FieldLogger(__name__)


class Repeatable:
    """ASGI middleware: makes each POST with a key an `Exchange`. It needs to stand where problems are answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        key = key_of(Headers(scope=scope)) if is_post else None
        if key is None:
            await self._app(scope, receive, send)
            return
        exchange = Exchange(key, scope)
        token = _current.set(exchange)
        try:
            await exchange.conduct(self._app, receive, send)
        finally:
            _current.reset(token)


class Exchange:
    """A POST with a key.

    Args:
        key: Its key.
        scope: Its ASGI scope.
    """

    def __init__(self, key: str, scope: Scope) -> None:
        self._key = key
        self._scope = scope
        self._body = hashlib.sha256()
        self._transaction: KeyedTransaction | None = None
        self._kept_for = timedelta()
        self._unsent: list[Message] = []
        self._is_replayed = False

    @asynccontextmanager
    async def effect(self, connect: Connect, *, kept_for: timedelta) -> AsyncIterator[Connection]:
        """Open the transaction of the request, which outlives the block; see `KeyedTransaction`.

        Args:
            connect: Lends a connection to the service's schema.
            kept_for: How long the answer is kept.
        """
        if self._transaction is None:
            place = place_of(self._scope, self._key)
            request = fingerprint(self._scope, self._body.digest())
            transaction = KeyedTransaction(connect, place, request)
            await transaction.begin(wait_s=_patience_s())
            self._transaction, self._kept_for = transaction, kept_for
        async with self._transaction.effect() as connection:
            yield connection

    async def answer_again(self, connect: Connect) -> None:
        """Look for the answer that was given under the key, without waiting for a twin.

        Raises:
            AnsweredError: there is one.
            ProblemError: the key belongs to another request.
        """
        place, request = (
            place_of(self._scope, self._key),
            fingerprint(self._scope, self._body.digest()),
        )
        await KeyedTransaction(connect, place, request).look()

    def passed_on(self) -> dict[str, str]:
        """Return the header that has the next service do once what this request asks of it.

        It is good for one call a path: another body under the same key would be refused there.
        """
        return {IDEMPOTENCY_KEY: passed_on(self._scope, self._key)}

    def heard(self, headers: Mapping[str, str]) -> None:
        """Note from the headers of the next service's answer whether that was given before."""
        self._is_replayed = REPLAYED in headers

    async def conduct(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Have an application answer, and keep the answer of its unit of work before it goes out."""

        async def hear() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._body.update(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            if self._transaction is None:
                await send(self._marked(message))
            else:
                self._unsent.append(message)

        try:
            await app(self._scope, hear, say)
            if self._transaction is not None:
                await self._settle(self._transaction)
        except AnsweredError as answered:
            log.info("answered again", path=self._scope["path"], status=answered.answer.status)
            self._is_replayed = True
            self._unsent = _messages(answered.answer)
        finally:
            if self._transaction is not None:
                await self._transaction.end()
        for message in self._unsent:
            await send(self._marked(message))

    async def _settle(self, transaction: KeyedTransaction) -> None:
        """Keep the answer with the effect; an error of the server decides nothing, and leaves neither."""
        start, *bodies = self._unsent
        if start["status"] < SERVER_ERROR:
            body = b"".join(message.get("body", b"") for message in bodies)
            answer = KeptAnswer(start["status"], start["headers"], body)
            await transaction.keep(answer, kept_for=self._kept_for)

    def _marked(self, message: Message) -> Message:
        if not self._is_replayed or message["type"] != "http.response.start":
            return message
        return {**message, "headers": [*message["headers"], (REPLAYED.encode(), b"true")]}


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def current_exchange() -> Exchange | None:
    """Return the exchange that is being worked on; None for a request without a key."""
    return _current.get()


def _messages(answer: KeptAnswer) -> list[Message]:
    return [
        {"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)},
        {"type": "http.response.body", "body": answer.body},
    ]


def _patience_s() -> float:
    deadline = current_deadline()
    return WAIT_S if deadline is None else deadline.remaining_s() - RESERVE_S
