"""Messages that are kept back until their time: written by `Outbox.send` with a `not_before`, published when due.

Any process of the service moves them, a REST service as well as a consumer; each takes what no other has locked.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from uuid import UUID

from cdc import causes
from cdc.chores import Chore, Chores, is_trouble_of_the_database
from cdc.context import is_sampled
from cdc.database import Connection, Pool, SyncConnection
from cdc.due import LOOK_EVERY_S, DueWork, PoolTransactions, RetryPolicy, work_once
from cdc.ids import made_ms
from cdc.logs import FieldLogger
from cdc.sql import load_queries
from cdc.tracing.spans import Span, derived_id, recorder, span_id_of, with_span_id

QUERIES = load_queries(__package__)
AT_ONCE = 500
"""Messages that are moved in one transaction."""

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delayed:
    """Messages that are moved together.

    Args:
        ids: Their ids.
        attempts: How often the first has failed.
    """

    ids: Sequence[UUID]
    attempts: int


@dataclass(frozen=True, slots=True)
class KeptBack:
    """What an outbox keeps back: how much, the first time of it, and what was refused, with the last reason."""

    rows: int
    next_at: datetime | None
    refused: int
    error: str | None


def measure(connection: SyncConnection) -> KeptBack:
    """Return what is kept back in the schema that a connection works in."""
    [row] = connection.execute(QUERIES["measure"]).fetchall()
    return KeptBack(*row)


class DelayedMessages(DueWork[Delayed]):
    """Delayed messages of one outbox as due work. None is given up: what the outbox refuses is tried again for ever.

    It holds up nothing, not even later messages of its key: those are mostly reminders that know nothing of each other,
    and its topic may never come back. All others keep the order of their times.

    Args:
        pauses: How long it waits until then.
    """

    def __init__(self, pauses: RetryPolicy | None = None) -> None:
        self._pauses = pauses or RetryPolicy()

    async def take(self, transaction: Connection) -> Sequence[Delayed]:
        """Return what is due in its order: what was never tried together, and what has failed before one by one."""
        cursor = await transaction.execute(QUERIES["take"], {"limit": AT_ONCE})
        due: list[Delayed] = []
        for is_fresh, rows in groupby(await cursor.fetchall(), key=lambda row: row[1] == 0):
            if is_fresh:
                due.append(Delayed([id_ for id_, _ in rows], 0))
            else:
                due += [Delayed([id_], attempts) for id_, attempts in rows]
        return due

    async def attempt(self, transaction: Connection, row: Delayed) -> None:
        """Move messages to the outbox, in the order of their times."""
        published = await transaction.execute(QUERIES["publish"], {"ids": list(row.ids)})
        if recorder() is not None:
            _record(await published.fetchall())

    async def failed(self, transaction: Connection, row: Delayed, error: Exception) -> None:
        """Put messages off; what was tried together is tried one by one from then on.

        Raises:
            psycopg.Error: the error itself, where the database cannot do its work, whatever the message.
        """
        if is_trouble_of_the_database(error):
            raise error
        text = causes.in_line(str(error))
        # such as when its topic was taken out of the catalogue, and may be put back
        pause_s = None
        if len(row.ids) == 1:
            pause_s = self._pauses.pause_s(min(row.attempts + 1, self._pauses.attempts - 1)) or 0.0
            log.warning(
                "delayed message refused", id=row.ids[0], again_in_s=round(pause_s), error=text
            )
        await transaction.execute(
            QUERIES["postpone"], {"ids": list(row.ids), "error": text, "pause_s": pause_s}
        )


def _record(published: Sequence[tuple[UUID, str, str, UUID, str | None]]) -> None:
    """Record how long messages were kept back: since then is what their ids tell."""
    for id_, topic, source, correlation_id, traceparent in published:
        here = recorder()
        if here is None or traceparent is None or not is_sampled(traceparent):
            continue
        kept_back = Span(
            f"delay {topic}",
            with_span_id(traceparent, derived_id(id_, "delay")),
            span_id_of(traceparent),
            made_ms(id_) * 1_000_000,
            time.time_ns(),
            service=source.strip("/"),
            attributes={
                "messaging.system": "kafka",
                "messaging.destination.name": topic,
                "messaging.message.id": str(id_),
                "messaging.message.conversation_id": str(correlation_id),
                "messaging.operation.name": "delay",
            },
        )
        here.wait(kept_back)


async def publish_due(pool: Pool) -> None:
    """Publish the delayed messages of a service whose time has come.

    Args:
        pool: Connections to the service's schema.

    Raises:
        psycopg.Error: the database cannot do its work.
    """
    work, transactions = DelayedMessages(), PoolTransactions(pool)
    while await work_once(work, transactions):
        pass


@asynccontextmanager
async def published_when_due(pool: Pool) -> AsyncIterator[None]:
    """Publish the delayed messages of a service beside what the block does."""
    chores = Chores()
    chores.start([Chore("publishing delayed messages", LOOK_EVERY_S, partial(publish_due, pool))])
    try:
        yield
    finally:
        await chores.stop()
