"""Connections to Postgres whose sessions are set by us alone, and not by roles, databases or the environment."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from cdc.deadline import LEAST_S, current_deadline
from cdc.times import reading_nearest

Connection = psycopg.AsyncConnection[Any]
SyncConnection = psycopg.Connection[Any]
Trial = Callable[[Connection], Awaitable[None]]

CONNECT_TIMEOUT_S = 5
LOST_AFTER_S = 10
"""How long a server may acknowledge nothing, when something was sent to it or in the silence before its answer.

A network that drops what it carries tells neither side. Linux itself would try again for a quarter of an hour, and
wait for an answer for two hours.
"""
KEPT_BACK_MS = 20
"""Of the time for a statement, so that Postgres ends it, and its connection is free, before who waits gives up."""
_BOUND = "select set_config('statement_timeout', %s, false)"

_trial: ContextVar[Trial | None] = ContextVar("trial", default=None)
"""What a connection is tried with, for the one who is borrowing it."""

SESSION: Mapping[str, str] = {
    # who we are, and where names lead: a role's schema has its name
    "role": "none",
    "search_path": '"$user"',
    "row_security": "on",
    # how values are written and read
    "datestyle": "ISO,MDY",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    # what a transaction is: an answer is given only for what survives a crash
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "synchronous_commit": "on",
    # whoever needs a limit sets one of his own
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
"""What statements of ours depend on. Given at the start of a session it wins over `alter role ... set`."""

NETWORK: Mapping[str, int] = {
    "tcp_user_timeout": LOST_AFTER_S * 1000,
    "keepalives_idle": LOST_AFTER_S // 2,
    "keepalives_interval": LOST_AFTER_S // 2,
    "keepalives_count": 2,  # the last word has `tcp_user_timeout`, where there is one
}
"""Connection parameters by which a server that is cut off is noticed; those in a URL win over them."""

ONLY_READS: Mapping[str, str] = {
    "default_transaction_read_only": "on",
    "statement_timeout": "20s",
}
"""What a session begins with in which nothing is written, and nobody waits for long."""

_begins_with: ContextVar[Mapping[str, str]] = ContextVar("begins_with", default={})  # noqa: B039 - nobody changes it

_NOT_OPTIONS = frozenset({"PGDATESTYLE", "PGTZ", "PGGEQO", "PGSERVICEFILE", "PGSYSCONFDIR"})
"""Variables that libpq reads besides those that stand for a connection option."""


class Pool(AsyncConnectionPool[Connection]):
    """A pool whose wait for a connection does not swallow that the one who waits is cancelled.

    It waits with `asyncio.wait_for`, which before Python 3.12 gives its result and forgets the cancellation if both
    come in one turn of the loop.
    """

    async def getconn(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the pool calls it by this name
    ) -> Connection:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        connection = await super().getconn(timeout)
        if task and task.cancelling() > before:
            await self.putconn(connection)
            raise asyncio.CancelledError
        return connection


def session_url(database_url: str, settings: Mapping[str, str] | None = None) -> str:
    """Return connection parameters that begin a session with `SESSION`, and the environment's part left out."""
    _forget_environment()
    given = conninfo_to_dict(database_url)
    options = str(given.get("options") or "")
    words = [_options(SESSION), options, _options({**_begins_with.get(), **(settings or {})})]
    network = {name: value for name, value in NETWORK.items() if name not in given}
    return make_conninfo(
        database_url, client_encoding="utf8", options=" ".join(filter(None, words)), **network
    )


@contextmanager
def only_reading() -> Iterator[None]:
    """Have Postgres refuse to write in sessions that are begun while the block runs."""
    token = _begins_with.set(ONLY_READS)
    try:
        yield
    finally:
        _begins_with.reset(token)


def connect(
    database_url: str, settings: Mapping[str, str] | None = None, **parameters: Any
) -> SyncConnection:
    """Connect; see `session_url`.

    Args:
        settings: Settings of the session that differ from `SESSION`.
        parameters: What `psycopg.connect` takes besides.
    """
    url = session_url(database_url, settings)
    return psycopg.connect(
        url,
        context=reading_nearest(),
        **{"connect_timeout": CONNECT_TIMEOUT_S} | parameters,
    )


def is_missing(error: psycopg.OperationalError, name: str, url: str) -> bool:
    """Tell whether a database cannot be connected to because there is none of its name.

    libpq hands on no code of that error, only words in the language of the server.

    Args:
        error: Why it cannot be connected to.
        name: Its name.
        url: libpq URL of another database there, to be asked where the words say nothing. If whoever asks may not
            connect there either, nothing is known to be missing.
    """
    if f'database "{name}" does not exist' in str(error):
        return True
    try:
        with connect(url, autocommit=True) as connection:
            query = "select from pg_database where datname = %s"
            return connection.execute(query, [name]).fetchone() is None
    except psycopg.OperationalError:
        return False


def is_alone(connection: SyncConnection, command: str) -> bool:
    """Take the lock of a command until the session ends; False where another session has it."""
    query = "select pg_try_advisory_lock(hashtext(%s))"
    return connection.execute(query, [command]).fetchall() == [(True,)]


async def connect_async(
    database_url: str, settings: Mapping[str, str] | None = None, **parameters: Any
) -> Connection:
    """Connect as `connect` does."""
    url = session_url(database_url, settings)
    return await psycopg.AsyncConnection.connect(
        url,
        context=reading_nearest(),
        **{"connect_timeout": CONNECT_TIMEOUT_S} | parameters,
    )


def open_pool(
    database_url: str,
    *,
    max_size: int = 10,
    timeout_s: float = 5.0,
    check: bool = True,
    idle_in_transaction_s: float = 0,
    reads_only: bool = False,
) -> Pool:
    """Return a pool of connections in autocommit; it connects when entered as a context manager.

    A statement by itself is one round trip; who writes more than one together begins a transaction.

    Args:
        check: Whether a connection is tried before it is lent, which costs a round trip each time; the same one bounds
            its statements by the deadline of whoever gets it. Who repeats what fails for a lost connection can do
            without.
        idle_in_transaction_s: How long a transaction may be left alone before Postgres ends it, in seconds; 0 for ever.
        reads_only: Have Postgres refuse to write.
    """
    limits = {"idle_in_transaction_session_timeout": f"{idle_in_transaction_s * 1000:.0f}ms"}
    if reads_only:
        limits["default_transaction_read_only"] = "on"

    async def lend(connection: Connection) -> None:
        try:
            await (_trial.get() or _bound)(connection)
        except BaseException as error:
            # the pool opens another one in its place; this one may be left in a state that nobody expects
            await connection.close()
            if isinstance(error, psycopg.OperationalError):
                # The others were lost with it, as when Postgres was restarted. To be found one by one, each after a
                # pause that doubles, takes them longer than anybody waits for a connection.
                await pool.check()
            raise

    pool = Pool(
        session_url(database_url, limits),
        kwargs={"autocommit": True, "context": reading_nearest()},
        min_size=1,
        max_size=max_size,
        timeout=timeout_s,
        # its pauses double each time, and would outlast the absence of the database; given up, it begins anew
        # for whoever asks next
        reconnect_timeout=timeout_s,
        open=False,
        check=lend if check else None,
    )
    return pool


@asynccontextmanager
async def borrow(pool: Pool, trial: Trial | None = None) -> AsyncIterator[Connection]:
    """Lend a connection; neither the wait for it nor, if the pool checks, a statement on it outlasts the deadline.

    Args:
        trial: What the pool tries a connection with, instead of a statement that does nothing else: the first one of
            its transaction, which sets `statement_timeout` itself. It is called again with another connection if that
            one is broken.

    Raises:
        DeadlineExceededError: it is over before anything was asked.
    """
    deadline = current_deadline()
    remaining_s = deadline.require(LEAST_S) if deadline else pool.timeout
    async with AsyncExitStack() as stack:
        with _tried_with(trial):
            waiting = pool.connection(min(pool.timeout, remaining_s))
            connection = await stack.enter_async_context(waiting)
        yield connection


@contextmanager
def _tried_with(trial: Trial | None) -> Iterator[None]:
    """Have the pool try connections with this, and raise what another connection would not mend."""
    failed: list[psycopg.Error] = []

    async def attempt(connection: Connection) -> None:
        try:
            await (trial or _bound)(connection)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            failed.append(error)

    token = _trial.set(attempt)
    try:
        yield
    finally:
        _trial.reset(token)
    if failed:
        raise failed[0]


async def _bound(connection: Connection) -> None:
    """Try a connection, and have Postgres end what takes longer than its borrower has time, in one round trip."""
    if current_deadline() is None:
        await connection.execute("reset statement_timeout")
    else:
        await connection.execute(_BOUND, [statement_timeout()])


async def begin(connection: Connection) -> None:
    """Try a connection, and begin a transaction whose statements the deadline bounds, in one round trip."""
    bounded = f"begin; set local statement_timeout = {statement_timeout()}"
    await connection.execute(bounded.encode(), prepare=False)


def statement_timeout() -> str:
    """Return how long a statement may take, in milliseconds: a little less than there is time, or 0, for ever."""
    deadline = current_deadline()
    if deadline is None:
        return "0"
    remaining_ms = deadline.remaining_s() * 1000
    return str(max(1, int(remaining_ms - min(KEPT_BACK_MS, remaining_ms / 10))))


def _options(settings: Mapping[str, str]) -> str:
    escaped = {name: value.replace(" ", r"\ ") for name, value in settings.items()}
    return " ".join(f"-c {name}={value}" for name, value in escaped.items())


def _forget_environment() -> None:
    """Remove the variables that libpq reads: a URL says everything, and some of them win over what we say."""
    options = {option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    for name in options | _NOT_OPTIONS:
        os.environ.pop(name, None)
