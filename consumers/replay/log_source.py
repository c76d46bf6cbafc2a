"""Reads ranges of the event log as if they came from Kafka, when Kafka has them no more.

The record of a row is the one that was published (`cdc.records`), except for where it lies: the log has no partitions,
so number 0 stands for all of it, and the sequence number of the row for the offset.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import args_row

from cdc.database import connect
from cdc.envelope import OutboxRow
from cdc.kafka_record import Headers, KafkaRecord
from cdc.records import record_of
from cdc.sql import load_queries
from consumers.replay.errors import ReplayError
from consumers.replay.selection import Filter, Selection
from consumers.replay.source import BATCH, Batch, Fetch, Plan, Range
from consumers.runtime.store import Place
from schemas.catalogue import catalogue

QUERIES = load_queries(__package__)

Urls = Callable[[str], str | None]
"""Service -> libpq URL of its schema, for reading; None when there is no such service."""


def has_log(topic: str, urls: Urls) -> bool:
    """Tell whether a topic's events are kept in an event log that can be read."""
    declared = catalogue().topics.get(topic)
    return declared is not None and urls(declared.owner) is not None


def plan_log(urls: Urls, selection: Selection, now: datetime, why: str) -> Plan:
    """Return what a replay out of the event log would read.

    Raises:
        ReplayError: a topic has no log, or the selection names offsets, which are Kafka's.
    """
    if selection.start.offsets or selection.end.offsets:
        raise ReplayError(
            "offsets are places in Kafka, which the event log does not know: choose by time instead"
        )
    end = selection.end.time or now
    ranges = []
    for topic in selection.topics:
        with _connect(topic, urls) as connection:
            row = connection.execute(
                QUERIES["log_range"],
                {"topic": topic, "start": selection.start.time, "end": end},
            ).fetchone()
        count, first, last, first_at = row or (0, 0, 0, None)
        if first is not None and last is not None:
            ranges.append(
                Range(
                    place=Place(topic, 0),
                    begin=first,
                    end=last + 1,
                    count=count,
                    first_at=first_at,
                )
            )
    return Plan(
        kind="log",
        why=why,
        ranges=tuple(ranges),
        start=selection.start.time,
        end=end,
        is_whole=True,
    )


class LogSource:
    """Reads the ranges of a plan out of event logs, one topic after the other."""

    def __init__(self, urls: Urls, plan: Plan, chosen: Filter, mark: Headers = ()) -> None:
        self._urls = urls
        self._plan = plan
        self._filter = chosen
        self._mark = list(mark)
        self._left: list[Range] = []
        self._positions: Mapping[Place, int] = {}
        self._connection: psycopg.Connection[Any] | None = None
        self._cursor: psycopg.ServerCursor[OutboxRow] | None = None
        self._read = 0

    def begin(self, positions: Mapping[Place, int]) -> None:
        """Begin to read.

        Args:
            positions: Where to begin in each log; what lies before is counted as read.
        """
        self._positions = positions
        self._left = list(self._plan.ranges)

    def fetch(self) -> Fetch | None:
        """Return the next batch, which may be empty; None at the end of all ranges."""
        if self._cursor is None and not self._open_next():
            return None
        assert self._cursor is not None  # noqa: S101 - opened above
        rows = self._cursor.fetchmany(BATCH)
        self._read += len(rows)
        if len(rows) < BATCH:
            self._close_cursor()
        records = [record for row in rows if self._filter.wants(record := _record(row, self._mark))]
        batches = [Batch(Place(records[0].topic, 0), records)] if records else []
        return Fetch(batches, self._read)

    def origin(self, record: KafkaRecord) -> str:
        """Return where a record was taken from."""
        return f"log:{record.offset}"

    def complaint(self) -> str:
        return self._filter.complaint()

    def close(self) -> None:
        self._close_cursor()

    def _open_next(self) -> bool:
        if not self._left:
            return False
        each = self._left.pop(0)
        topic = each.place.topic
        position = max(each.begin, self._positions.get(each.place, each.begin))
        self._connection = _connect(topic, self._urls)
        self._cursor = psycopg.ServerCursor(
            self._connection, "replay", row_factory=args_row(OutboxRow)
        )
        parameters = {
            "topic": topic,
            "begin": position,
            "stop": each.end,
            "start": self._plan.start,
            "end": self._plan.end,
        }
        self._cursor.execute(QUERIES["log_records"], parameters, binary=True)
        return True

    def _close_cursor(self) -> None:
        connection, cursor = self._connection, self._cursor
        self._connection = self._cursor = None
        if connection is not None and cursor is not None:
            with connection:
                cursor.close()


class LogRows:
    """Reads single events of a topic out of its log, by their ids and in their order.

    Args:
        ids: The ids; those that the log does not have are passed over.
        mark: Headers that each record gets besides its own.
    """

    def __init__(self, urls: Urls, topic: str, ids: Sequence[str], mark: Headers = ()) -> None:
        self._urls = urls
        self._topic = topic
        self._ids = ids
        self._mark = list(mark)
        self._is_read = False

    def begin(self, positions: Mapping[Place, int]) -> None:
        """Begin to read; there are no positions to mind."""

    def fetch(self) -> Fetch | None:
        """Return the events, and None the next time."""
        if self._is_read:
            return None
        self._is_read = True
        with _connect(self._topic, self._urls) as connection:
            cursor = connection.cursor(row_factory=args_row(OutboxRow))
            parameters = {"topic": self._topic, "ids": list(self._ids)}
            rows = cursor.execute(QUERIES["log_by_id"], parameters, binary=True).fetchall()
        records = [_record(row, self._mark) for row in rows]
        return Fetch([Batch(Place(self._topic, 0), records)] if records else [], len(records))

    def origin(self, record: KafkaRecord) -> str:
        """Return where a record was taken from."""
        return f"log:{record.offset}"

    def complaint(self) -> str:
        """Nothing is chosen here but by ids."""
        return ""

    def close(self) -> None:
        """Nothing is held open."""


def _record(row: OutboxRow, mark: Sequence[tuple[str, bytes | None]]) -> KafkaRecord:
    record = record_of(row)
    return KafkaRecord(
        record.topic,
        0,
        row.seq,
        round(row.occurred_at.timestamp() * 1000),
        record.key,
        record.value,
        [*record.headers, *mark],
    )


def _connect(topic: str, urls: Urls) -> "psycopg.Connection[Any]":
    declared = catalogue().topics.get(topic)
    url = urls(declared.owner) if declared else None
    if url is None:
        raise ReplayError(
            f"{topic} has no event log: no service of this installation keeps its events"
        )
    return connect(url, {"default_transaction_read_only": "on"})
