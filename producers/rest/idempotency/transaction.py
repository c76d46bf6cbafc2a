"""The transaction of a request with a key: it claims the key, carries the effect, and keeps the answer."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncCursor
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg.types.json import Jsonb

from cdc.database import Connection
from cdc.sql import load_queries
from producers.rest.problems import ProblemError
from schemas.rest.problem import KEY_REUSED, REQUEST_OUTSTANDING

QUERIES = load_queries(__package__)
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""What may be kept of an answer; the largest, an order of 500 lines, has a third of it."""
RETRY_AFTER_S = 1

Connect = Callable[[], AbstractAsyncContextManager[Connection]]
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it went out, but for what is told of each exchange anew."""

    status: int
    headers: Headers
    body: bytes


class AnsweredError(Exception):
    """The request was answered before: nothing is done, and that answer is given again."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("this request was answered before")
        self.answer = answer


class KeyedTransaction:
    """The one transaction of a request with a key, held from the claim until the answer is known.

    Claim and keeping ride along with the beginning and the commit, so that a key costs no round trip of its own.

    Args:
        connect: Lends a connection to the service's schema.
        place: What the key means, see `place_of`.
        request: The request's fingerprint.
    """

    def __init__(self, connect: Connect, place: bytes, request: bytes) -> None:
        self._connect = connect
        self._request = request
        self._names = {"place": place, "lock": int.from_bytes(place[:8], signed=True)}
        self._stack = AsyncExitStack()
        self._connection: Connection
        self._has_savepoint = True

    async def begin(self, *, wait_s: float) -> None:
        """Claim the key.

        Args:
            wait_s: How long to wait for a twin that has it, in seconds.

        Raises:
            AnsweredError: the request was answered before.
            ProblemError: the key belongs to another request (422), or a twin has not ended in time (409).
        """
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._connect())
            async with connection.pipeline():
                claimed = await connection.execute(QUERIES["try_claim"], self._names)
                found = await connection.execute(QUERIES["find"], self._names)
                await connection.execute(QUERIES["savepoint"])
            if await claimed.fetchone() != (True,):
                found = await self._claim_after_twin(connection, wait_s)
            self._require_new(await found.fetchone())
            self._connection, self._stack = connection, stack.pop_all()

    @asynccontextmanager
    async def effect(self) -> AsyncIterator[Connection]:
        """Do what the request asks for; what fails is undone, while the claim stays."""
        if not self._has_savepoint:
            await self._connection.execute(QUERIES["savepoint"])
        self._has_savepoint = False
        try:
            yield self._connection
        except Exception:
            if not self._connection.closed:
                await self._connection.execute(QUERIES["undo"])
            raise

    async def keep(self, answer: Answer, *, kept_for: timedelta) -> None:
        """Commit the effect together with its answer."""
        if len(answer.body) > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {len(answer.body)} bytes is too large to be kept")
        headers = [
            [name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers
        ]
        row = {
            **self._names,
            "request": self._request,
            "status": answer.status,
            "headers": Jsonb(headers),
            "body": answer.body,
            "kept_for": kept_for,
        }
        async with self._connection.pipeline():
            await self._connection.execute(QUERIES["keep"], row)
            await self._connection.commit()

    async def end(self) -> None:
        """Give the connection back; what is not committed by then never was."""
        try:
            if not self._connection.closed:
                await self._connection.rollback()
        finally:
            await self._stack.aclose()

    async def _claim_after_twin(self, connection: Connection, wait_s: float) -> AsyncCursor[Any]:
        wait_ms = int(wait_s * 1000)
        if wait_ms < 1:
            raise _outstanding()
        try:
            async with connection.pipeline():
                await connection.execute(QUERIES["wait_for"], {"wait_ms": wait_ms})
                await connection.execute(QUERIES["claim"], self._names)
                await connection.execute(QUERIES["wait_no_more"])
                found = await connection.execute(QUERIES["find"], self._names)
                # one after the claim, which would not outlive the undoing of an earlier one
                await connection.execute(QUERIES["savepoint"])
        except (LockNotAvailable, QueryCanceled) as error:
            raise _outstanding() from error
        return found

    def _require_new(self, row: tuple[bytes, int, list[list[str]], bytes] | None) -> None:
        if row is None:
            return
        request, status, headers, body = row
        if request != self._request:
            detail = "this Idempotency-Key was sent with another request before; send this one with a key of its own"
            raise ProblemError(422, detail, kind=KEY_REUSED)
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        raise AnsweredError(Answer(status, raw, body))


def _outstanding() -> ProblemError:
    detail = "a request with this Idempotency-Key is still being worked on; send it again in a moment for its answer"
    headers = {"retry-after": str(RETRY_AFTER_S)}
    return ProblemError(409, detail, kind=REQUEST_OUTSTANDING, headers=headers)
