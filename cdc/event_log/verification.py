"""Proof that the rows of a service say the same as its event log, aggregate by aggregate, in bounded memory."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any, Generic, Literal, Protocol, TypeVar

from psycopg import IsolationLevel

from cdc.database import Connection
from cdc.event_log.events import QUERIES, BrokenLogError, HoleError, LoggedEvent, stream
from cdc.event_log.fold import AsOf, Fold, State
from cdc.event_log.rehydrate import EventLog
from cdc.event_log.snapshots import Snapshots
from cdc.ids import new_id

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

CHUNK = 500
"""Aggregates whose rows are asked for at a time."""

What = Literal["row differs", "no row", "no log", "broken log", "snapshot differs"]


class Rows(Protocol[S_co]):
    """The rows in which a service keeps how its aggregates stand."""

    async def read(
        self, connection: Connection, aggregate_ids: Sequence[str]
    ) -> Mapping[str, S_co]:
        """Return the rows of some aggregates as states, by id; there may be none of an id."""
        ...

    def ids(self, connection: Connection) -> AsyncGenerator[str, None]:
        """Yield the ids of all rows; a transaction is open."""
        ...


@dataclass(frozen=True, slots=True)
class Difference:
    """A column in which a row says something else than the log.

    Args:
        column: Its name.
        kept: What the row, or the snapshot, says.
        folded: What follows from the log.
    """

    column: str
    kept: Any
    folded: Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be about one aggregate.

    Args:
        aggregate_id: Identity of the aggregate.
        what: Kind of the finding.
        detail: What is wrong, as a sentence; empty where the differences say it.
        differences: Columns that differ.
    """

    aggregate_id: str
    what: What
    detail: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(slots=True)
class _Folded(Generic[S]):
    """What the events of one aggregate have led to so far."""

    aggregate_id: str
    state: State[S] | None = None
    broken: BrokenLogError | None = None

    def add(self, log: EventLog[S], event: LoggedEvent) -> None:
        if self.broken:
            return
        expected = 1 if self.state is None else self.state.version + 1
        found = event.aggregate_version
        try:
            if found != expected:
                raise HoleError(log.fold.kind, self.aggregate_id, expected, found)
            self.state = log.after(self.state, event)
        except BrokenLogError as error:
            self.broken = error


class Verification(Generic[S]):
    """Compares the rows of one kind of aggregate with its log; use within `repeatable_read`, for one moment.

    Args:
        connection: Leads to the service's schema.
        log: The log.
        rows: The rows.

    Attributes:
        events: How many events were read so far.
        aggregates: How many aggregates were compared so far.
        snapshots: How many snapshots were compared so far.
        on_progress: Called with the number of events read, again and again.
    """

    def __init__(self, connection: Connection, log: EventLog[S], rows: Rows[S]) -> None:
        self._connection = connection
        self._log = log
        self._rows = rows
        self.events = 0
        self.aggregates = 0
        self.snapshots = 0
        self.on_progress: Callable[[int], None] = lambda _events: None

    async def total(self) -> int:
        """Return how many events there are to read."""
        cursor = await self._connection.execute(QUERIES["count_events"], {"kind": self._fold.kind})
        [total] = await cursor.fetchone() or [0]
        return int(total)

    async def findings(self) -> AsyncGenerator[Finding, None]:
        """Yield what is not as it should be; nothing when every row equals its log.

        Raises:
            RegistryUnavailableError: a schema is not cached and the registry cannot be asked.
        """
        for part in (self._compared_rows(), self._rows_without_log(), self._compared_snapshots()):
            async with aclosing(part):
                async for finding in part:
                    yield finding

    @property
    def _fold(self) -> Fold[S]:
        return self._log.fold

    async def _compared_rows(self) -> AsyncGenerator[Finding, None]:
        chunk: list[_Folded[S]] = []
        events = stream(self._connection, "histories", {"kind": self._fold.kind})
        async with aclosing(events):
            async for event in events:
                if not chunk or chunk[-1].aggregate_id != event.aggregate_id:
                    if len(chunk) == CHUNK:
                        for finding in await self._compare(chunk):
                            yield finding
                        chunk = []
                    chunk.append(_Folded(event.aggregate_id))
                chunk[-1].add(self._log, event)
                self.events += 1
        for finding in await self._compare(chunk):
            yield finding

    async def _compare(self, chunk: Sequence[_Folded[S]]) -> list[Finding]:
        rows = await self._rows.read(self._connection, [each.aggregate_id for each in chunk])
        self.aggregates += len(chunk)
        self.on_progress(self.events)
        findings = [_judge(each, rows.get(each.aggregate_id)) for each in chunk]
        return [finding for finding in findings if finding is not None]

    async def _rows_without_log(self) -> AsyncGenerator[Finding, None]:
        """Look the rows up in the log in chunks, by its index: a join may be planned for tables of another size."""
        chunk: list[str] = []
        ids = self._rows.ids(self._connection)
        async with aclosing(ids):
            async for aggregate_id in ids:
                chunk.append(aggregate_id)
                if len(chunk) == CHUNK:
                    for finding in await self._unknown(chunk):
                        yield finding
                    chunk = []
        for finding in await self._unknown(chunk):
            yield finding

    async def _unknown(self, chunk: Sequence[str]) -> list[Finding]:
        parameters = {"kind": self._fold.kind, "aggregate_ids": list(chunk)}
        cursor = await self._connection.execute(QUERIES["with_events"], parameters)
        known = {aggregate_id for (aggregate_id,) in await cursor.fetchall()}
        unknown = [aggregate_id for aggregate_id in chunk if aggregate_id not in known]
        self.aggregates += len(unknown)
        return [Finding(each, "no log", "the row has no event in the log") for each in unknown]

    async def _compared_snapshots(self) -> AsyncGenerator[Finding, None]:
        """Compare each snapshot that would be used with what the log says of its version."""
        snapshots = Snapshots(self._fold)
        async with self._connection.cursor(f"snapshots_{new_id().hex}") as cursor:
            await cursor.execute(QUERIES["snapshot_ids"], {"kind": self._fold.kind})
            while chunk := [aggregate_id for (aggregate_id,) in await cursor.fetchmany(CHUNK)]:
                found = await snapshots.find(self._connection, chunk)
                for aggregate_id, snapshot in found.items():
                    self.snapshots += 1
                    if differences := await self._differences(aggregate_id, snapshot):
                        detail = f"the snapshot of version {snapshot.version} differs from the log"
                        yield Finding(aggregate_id, "snapshot differs", detail, differences)

    async def _differences(self, aggregate_id: str, snapshot: State[S]) -> tuple[Difference, ...]:
        try:
            folded = await self._log.state(
                self._connection, aggregate_id, AsOf(snapshot.version), snapshots=False
            )
        except BrokenLogError:
            return ()  # which is a finding already
        return () if folded is None else differences(snapshot.value, folded.value)


@asynccontextmanager
async def repeatable_read(connection: Connection) -> AsyncIterator[None]:
    """Read as of one moment, and write nothing, until the block ends; others go on meanwhile.

    Args:
        connection: With no transaction open.
    """
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)
    async with connection.transaction():
        yield


def differences(kept: Any, folded: Any) -> tuple[Difference, ...]:
    """Return the fields in which two states differ.

    Args:
        kept: A state, as a dataclass.
        folded: A state of the same class.
    """
    return tuple(
        Difference(field.name, getattr(kept, field.name), getattr(folded, field.name))
        for field in fields(folded)
        if getattr(kept, field.name) != getattr(folded, field.name)
    )


def _judge(folded: _Folded[S], row: S | None) -> Finding | None:
    if folded.broken:
        return Finding(folded.aggregate_id, "broken log", str(folded.broken))
    if row is None or folded.state is None:
        return Finding(folded.aggregate_id, "no row", "the log has events, and there is no row")
    differing = differences(row, folded.state.value)
    return Finding(folded.aggregate_id, "row differs", "", differing) if differing else None
