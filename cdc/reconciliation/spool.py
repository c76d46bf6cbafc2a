"""What a comparison cannot keep in memory: a temporary SQLite database that is gone when it is closed.

SQLite sorts on disk what does not fit into its cache, so that the memory a comparison takes does not depend on how much
is compared.
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID

from cdc.envelope import OutboxRow
from cdc.reconciliation.fingerprints import Fingerprint
from cdc.records import OutboxRecord, record_of
from cdc.sql import load_queries

QUERIES = {
    name: text.decode() for name, text in load_queries("cdc.reconciliation", "spool.sql").items()
}
CACHE_KB = 32_768


class SpooledRecord(NamedTuple):
    """A record of Kafka as it is kept."""

    id: bytes
    partition: int
    offset: int
    type: int  # number of its type, see `Spool.type_number`
    version: int | None  # version of its aggregate; None when it is no event
    key: bytes
    value: bytes
    headers: bytes
    expires_at: float | None = None  # in seconds since 1970; None when it never does


@dataclass(frozen=True, slots=True)
class MissingRow:
    """A row of an outbox that Kafka lacks, ready to be published."""

    message_id: UUID
    source: str
    seq: int
    occurred_at: str
    record: OutboxRecord


class Spool:
    """The temporary database of one topic's comparison; a context manager.

    Args:
        topic: The topic.
        directory: Where it lies.
        beside: How many spools share the memory that one may take.
    """

    def __init__(self, topic: str, directory: Path | None = None, *, beside: int = 1) -> None:
        self._topic = topic
        self._directory = tempfile.TemporaryDirectory(prefix="tailrace-", dir=directory)
        self._database = sqlite3.connect(
            Path(self._directory.name) / "spool.sqlite", isolation_level=None
        )
        # nothing in it is worth a write that waits for the disk
        for pragma in (
            "journal_mode = off",
            "synchronous = off",
            "locking_mode = exclusive",
            f"cache_size = -{CACHE_KB // beside}",
        ):
            self._database.execute(f"pragma {pragma}")
        self._database.executescript(QUERIES["open"])
        self._types: dict[bytes, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()
        self._directory.cleanup()

    def type_number(self, name: bytes) -> int:
        return self._types.setdefault(name, len(self._types))

    def add_records(self, records: Iterable[SpooledRecord]) -> None:
        """Keep records; the order does not matter."""
        with self._transaction():
            self._database.executemany(QUERIES["add_record"], records)

    def sort_records(self) -> None:
        self._database.execute(QUERIES["sort_records"])

    def records_by_id(self) -> Iterator[tuple[int, bytes, int, int, Fingerprint]]:
        """Yield (number, id, partition, offset, fingerprint) of every record in the order of ids, copies by place."""
        for number, id_, partition, offset, *digests in self._rows("records_by_id"):
            yield number, id_, partition, offset, Fingerprint(*digests)

    def copies(self, message_id: bytes) -> list[Fingerprint]:
        return [Fingerprint(*digests) for digests in self._rows("copies", message_id)]

    def has_expired(self, message_id: bytes, at: datetime) -> bool:
        """Tell whether nobody was to act on a message any more at a time."""
        return any(self._rows("has_expired", message_id, at.timestamp()))

    def is_event(self, message_id: bytes) -> bool:
        """Tell whether the records of an id carry a version of an aggregate."""
        [[versions]] = self._rows("versions", message_id)
        return bool(versions)

    def note_repeated(self, numbers: Iterable[int]) -> None:
        with self._transaction():
            self._database.executemany(QUERIES["add_repeated"], ((n,) for n in numbers))

    def add_missing(self, rows: Iterable[tuple[str, OutboxRow, Fingerprint]]) -> None:
        """Keep rows of outboxes that Kafka lacks, each with its outbox and the fingerprint of its record."""
        with self._transaction():
            self._database.executemany(QUERIES["add_missing"], (_missing(*row) for row in rows))

    def take_missing(self, message_id: bytes) -> Fingerprint | None:
        """Strike a row off those that are missing; return its fingerprint, or None when it is not missing."""
        row = self._database.execute(QUERIES["take_missing"], [message_id]).fetchone()
        return Fingerprint(*row) if row else None

    def count_missing(self) -> int:
        [[count]] = self._rows("count_missing")
        return int(count)

    def first_missing(self) -> str | None:
        """Return when the first of the rows that are missing was written; None when none is."""
        [[first]] = self._rows("first_missing")
        return None if first is None else str(first)

    def missing(self) -> Iterator[MissingRow]:
        """Yield the rows that are missing, of each outbox in the order in which they were written."""
        yield from self._missing("missing_in_order")

    def large_missing(self, size: int) -> Iterator[MissingRow]:
        """Yield missing rows among which are all whose records are larger than a number of bytes."""
        yield from self._missing("large_missing", size)

    def _missing(self, query: str, *values: Any) -> Iterator[MissingRow]:
        for id_, source, seq, occurred_at, key, value, headers in self._rows(query, *values):
            pairs = [
                (name, text if text is None else text.encode())
                for name, text in json.loads(headers)
            ]
            record = OutboxRecord(self._topic, key, value, pairs)
            yield MissingRow(UUID(bytes=id_), source, seq, occurred_at, record)

    def ends_of_missing(self) -> tuple[UUID, UUID]:
        """Return the ids of the first and the last row that is missing, of which there must be one."""
        [[first, last]] = self._rows("ends_of_missing")
        return UUID(bytes=first), UUID(bytes=last)

    def find(self, kind: str, message_id: bytes | None, detail: str) -> None:
        name = None if message_id is None else str(UUID(bytes=message_id))
        self._database.execute(QUERIES["add_finding"], [kind, name, detail])

    def find_many(self, found: Iterable[tuple[str, bytes | None, str]]) -> None:
        with self._transaction():
            for each in found:
                self.find(*each)

    def counts(self) -> dict[str, int]:
        return dict(self._rows("count_findings"))

    def findings(self, kind: str, limit: int) -> list[tuple[str | None, str]]:
        return list(self._rows("findings", kind, limit))

    def take_findings(self, kind: str, at_once: int) -> Iterator[list[tuple[bytes, str]]]:
        """Take out all findings of a kind that there are by now, so many at once; all are about messages with an id."""
        [[last]] = self._rows("last_finding")
        while found := list(self._rows("first_findings", kind, last, at_once)):
            self._database.execute(QUERIES["drop_findings"], [kind, found[-1][0]])
            yield [(UUID(name).bytes, detail) for _, name, detail in found]

    def disordered(self) -> Iterator[tuple[bytes, int, int, int, int]]:
        """Yield (id, partition, offset, version, version seen before) of events that come too late in their key."""
        yield from self._rows("disordered")

    def look_at_consumer(self, positions: Mapping[int, int], types: Iterable[str] | None) -> None:
        """Say whom `due`, `waiting` and `ignored` are about."""
        wanted = (
            self._types.values()
            if types is None
            else [self._types[name] for each in types if (name := each.encode()) in self._types]
        )
        self._database.executescript(QUERIES["renew_consumer"])
        with self._transaction():
            self._database.executemany(QUERIES["add_position"], positions.items())
            self._database.executemany(QUERIES["add_wanted"], ((number,) for number in wanted))

    def due(self) -> Iterator[bytes]:
        """Yield the ids of what the consumer must have taken, sorted."""
        for (id_,) in self._rows("due"):
            yield id_

    def waiting(self) -> int:
        [[count]] = self._rows("waiting")
        return int(count)

    def ignored(self) -> int:
        """Return how many messages are of types that the consumer does not take."""
        [[count]] = self._rows("ignored")
        return int(count)

    def _rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        yield from self._database.execute(QUERIES[query], values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Make many inserts one transaction; without a journal nothing could be rolled back, nor need it be."""
        self._database.execute("begin")
        try:
            yield
        finally:
            self._database.execute("commit")


def _missing(source: str, row: OutboxRow, digests: Fingerprint) -> tuple[object, ...]:
    record = record_of(row)
    headers = json.dumps(
        [(name, None if value is None else value.decode()) for name, value in record.headers]
    )
    return (
        *(row.id.bytes, source, row.seq, row.occurred_at.isoformat()),
        *(*digests, record.key, record.value, headers),
    )
