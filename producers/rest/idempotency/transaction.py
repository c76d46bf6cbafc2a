"""The transaction of a request with a key: it claims the key, carries the effect, and keeps the answer."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncCursor
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

from cdc.database import Connection, Trial, statement_timeout
from cdc.sql import load_queries
from producers.rest.problems import ProblemError
from schemas.rest.problem import KEY_REUSED, REQUEST_OUTSTANDING

QUERIES = load_queries(__package__)
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""What may be kept of an answer; the largest, an order of 500 lines, has a third of it."""
RETRY_AFTER_S = 1

Connect = Callable[[Trial], AbstractAsyncContextManager[Connection]]
Headers = Sequence[tuple[bytes, bytes]]

_Row = tuple[bytes, int, list[list[str]], bytes]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it went out, but for what is told of each exchange anew."""

    status: int
    headers: Headers
    body: bytes


class AnsweredError(Exception):
    """The request was answered before: nothing is done, and that answer is given again."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__("this request was answered before")
        self.answer = answer


class KeyedTransaction:
    """The one transaction of a request with a key, held from the claim until the answer is known.

    The claim is also what the pool tries the connection with, so that a key costs no more than the statement that keeps
    the answer. It has twins wait for each other; that there is one answer is up to the primary key.

    Args:
        connect: Lends a connection to the service's schema, which is tried with what it is given.
        place: What the key means, see `place_of`.
        request: The request's fingerprint.
    """

    def __init__(self, connect: Connect, place: bytes, request: bytes) -> None:
        self._connect = connect
        self._request = request
        self._names = {"place": place, "lock": int.from_bytes(place[:8], signed=True)}
        self._stack = AsyncExitStack()
        self._connection: Connection
        self._wait_s = 0.0
        self._found: _Row | None = None
        self._is_claimed = False
        self._has_effect = False

    async def begin(self, *, wait_s: float) -> None:
        """Claim the key.

        Args:
            wait_s: How long to wait for a twin that has it, in seconds.

        Raises:
            AnsweredError: the request was answered before.
            ProblemError: the key belongs to another request (422), or a twin has not ended in time (409).
        """
        self._wait_s = wait_s
        async with AsyncExitStack() as stack:
            self._connection = await stack.enter_async_context(self._connect(self._claim))
            await self._be_first()
            self._stack = stack.pop_all()

    async def look(self) -> None:
        """Look whether the request was answered, and claim nothing.

        Raises:
            AnsweredError: it was.
            ProblemError: the key belongs to another request.
        """
        async with self._connect(self._find):
            self._require_unanswered()

    @asynccontextmanager
    async def effect(self) -> AsyncIterator[Connection]:
        """Do what the request asks for. What fails is undone, and what was done in an earlier block stays."""
        await self._claim_again()
        if self._has_effect:
            await self._connection.execute(QUERIES["savepoint"])
        try:
            yield self._connection
        except Exception:
            if not self._connection.closed:
                await self._undo()
            raise
        self._has_effect = True

    async def keep(self, answer: KeptAnswer, *, kept_for: timedelta) -> None:
        """Commit the effect together with its answer.

        Raises:
            AnsweredError: a twin was quicker, and nothing is done here.
        """
        if len(answer.body) > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer of {len(answer.body)} bytes is too large to be kept")
        await self._claim_again()
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
        kept = await self._connection.execute(QUERIES["keep"], row)
        if not kept.rowcount:
            await self._roll_back()
            await self._claim_again()
            raise _outstanding()  # the twin's answer has expired since
        await self._connection.commit()

    async def end(self) -> None:
        """Give the connection back; what is not committed by then never was."""
        try:
            if not self._connection.closed:
                await self._connection.rollback()
        finally:
            await self._stack.aclose()

    async def _claim(self, connection: Connection) -> None:
        """Begin, take the claim if nobody has it, and look for an answer, in one round trip that waits for nobody."""
        is_begun = connection.info.transaction_status is not TransactionStatus.IDLE
        async with connection.pipeline():
            if not is_begun:
                await connection.execute(QUERIES["begin"])
            asked = await self._ask(connection, "claim")
        [self._is_claimed] = await self._take_in(asked)

    async def _find(self, connection: Connection) -> None:
        await self._take_in(await self._ask(connection, "find"))

    async def _ask(self, connection: Connection, query: str) -> AsyncCursor[Any]:
        asked = {**self._names, "statement_ms": statement_timeout()}
        return await connection.execute(QUERIES[query], asked)

    async def _take_in(self, cursor: AsyncCursor[Any]) -> list[bool]:
        """Note the answer that was found; return what else is told."""
        [(request, status, headers, body, _, *others)] = await cursor.fetchall()
        more: list[bool] = others
        self._found = None if request is None else (request, status, headers, body)
        return more

    async def _claim_again(self) -> None:
        if not self._is_claimed:
            await self._claim(self._connection)
            await self._be_first()

    async def _be_first(self) -> None:
        """Go on only as the one who has the claim on a request without an answer."""
        self._require_unanswered()
        if not self._is_claimed:
            await self._wait_for_twin()
            await self._claim(self._connection)
            self._require_unanswered()

    async def _wait_for_twin(self) -> None:
        wait_ms = int(self._wait_s * 1000)
        if wait_ms < 1:
            raise _outstanding()
        try:
            async with self._connection.pipeline():
                await self._connection.execute(QUERIES["wait_for"], {"wait_ms": wait_ms})
                await self._connection.execute(QUERIES["lock"], self._names)
                await self._connection.execute(QUERIES["wait_no_more"])
        except (LockNotAvailable, QueryCanceled) as error:
            raise _outstanding() from error

    async def _undo(self) -> None:
        if self._has_effect:
            await self._connection.execute(QUERIES["undo"])
        else:
            await self._roll_back()

    async def _roll_back(self) -> None:
        """Undo everything, the claim as well: to keep that by a savepoint would cost every request a statement."""
        await self._connection.rollback()
        self._is_claimed = False

    def _require_unanswered(self) -> None:
        if self._found is None:
            return
        request, status, headers, body = self._found
        if request != self._request:
            detail = "this Idempotency-Key was sent with another request before; send this one with a key of its own"
            raise ProblemError(422, detail, kind=KEY_REUSED)
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        raise AnsweredError(KeptAnswer(status, raw, body))


def _outstanding() -> ProblemError:
    detail = "a request with this Idempotency-Key is still being worked on; send it again in a moment for its answer"
    headers = {"retry-after": str(RETRY_AFTER_S)}
    return ProblemError(409, detail, kind=REQUEST_OUTSTANDING, headers=headers)
