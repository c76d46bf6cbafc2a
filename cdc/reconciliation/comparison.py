"""Laying the records of a topic beside the rows that were written for it, both in the order of their ids.

Kafka is read first, up to an end that is known beforehand; the outboxes are seen at a later moment. So what was read
has its row there, unless it is a phantom. A row that was committed in between is looked for again in what Kafka got
since.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from operator import itemgetter
from typing import Protocol
from uuid import UUID

from cdc.envelope import OutboxRow
from cdc.ids import made_at
from cdc.kafka import Bounds, retention
from cdc.kafka_record import Place
from cdc.partitioning import partition_of
from cdc.reconciliation.fingerprints import Fingerprint, fingerprint
from cdc.reconciliation.outboxes import Outboxes, Window
from cdc.reconciliation.records import TimeBounds, id_of, spooled
from cdc.reconciliation.report import Kind
from cdc.reconciliation.spool import Spool
from cdc.records import record_of
from cdc.topic_reader import Portion, TopicReader

BATCH = 2000
COPIES_SHOWN = 5
CLOCK_SLACK = timedelta(minutes=5)
"""A record may be dated so much before the row that it comes from was written, by another machine's clock."""

Copies = Sequence[tuple[int, int, int, Fingerprint]]
"""(number, partition, offset, fingerprint) of every record of one id."""


class Progress(Protocol):
    """Shows how far a piece of work has come."""

    def __call__(self, words: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a piece of work; what is given is called with how much is done."""


class Comparison:
    """Compares one topic with the outboxes.

    Args:
        reader: Reads the topic.
        topic: The topic.
        spool: Keeps what does not fit into memory.
        window: Which rows and records are compared.
        progress: Shows how far it has come.
    """

    def __init__(
        self,
        reader: TopicReader,
        topic: str,
        spool: Spool,
        window: Window,
        progress: Progress,
    ) -> None:
        self._reader = reader
        self.topic = topic
        self._spool = spool
        self._window = window
        self._bounds = TimeBounds.of(window)
        self._progress = progress
        self._ends: dict[Place, int] = {}
        self._whole: set[int] = set()  # partitions that are read from the oldest record they have
        self._kept_since: dict[int, datetime] = {}
        self.records = 0
        self.rows = 0
        self.too_old = 0
        self.newest: datetime | None = None  # when the last of the rows was written

    def read_topic(self) -> None:
        """Read the topic up to where it ends now.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        read_topics([self], self._reader, self._progress)

    def ranges(self, bounds: Mapping[Place, Bounds]) -> dict[Place, tuple[int, int]]:
        """Return from where to where the topic is to be read.

        Args:
            bounds: What Kafka has of its partitions now.
        """
        starts = {place: each.begin for place, each in bounds.items()}
        if self._window.since:
            starts = self._reader.at(self._window.since - CLOCK_SLACK, bounds)
        self._ends = {place: each.end for place, each in bounds.items()}
        self._whole = {p.partition for p, each in bounds.items() if 0 < each.begin == starts[p]}
        return {place: (starts[place], end) for place, end in self._ends.items()}

    def take(self, portions: Sequence[Portion]) -> None:
        """Keep what was read of the topic."""
        for place, found, _ in portions:
            if found and place.partition in self._whole:
                self._kept_since.setdefault(place.partition, found[0].recorded_at)
        records = [record for portion in portions for record in portion.records]
        kept = list(spooled(records, self._bounds, self._spool))
        self._spool.add_records(kept)
        self.records += len(kept)

    def end_reading(self) -> None:
        """Make ready to be compared, once all was taken."""
        self._suppose_retention(self._whole - self._kept_since.keys())
        self._spool.sort_records()

    def compare(self, outboxes: Outboxes, schemas: Iterable[str] | None = None) -> None:
        """Compare what was read with the rows.

        Args:
            outboxes: The outboxes as of a moment after the topic was read.
            schemas: Which of them have rows for the topic, where that is known.
        """
        notes = _Notes(self._spool)
        rows = outboxes.rows(self.topic, self._rows_window(), schemas)
        with self._progress("rows compared", self.records) as show:
            for message_id, source_and_row, copies in _side_by_side(rows, self._copies()):
                notes.repeated += [number for number, *_ in copies[1:]]
                if len(copies) > 1:
                    notes.find(Kind.DUPLICATED, message_id, _places(copies))
                if source_and_row is None:
                    notes.find(Kind.PHANTOM, message_id, _places(copies))
                    continue
                self._compare_row(*source_and_row, copies, notes)
                self.rows += 1
                written_at = source_and_row[1].occurred_at
                self.newest = max(self.newest or written_at, written_at)
                if self.rows % BATCH == 0:
                    notes.write()
                    show(self.rows)
        notes.write()

    @property
    def missing(self) -> int:
        """How many rows have no record, as far as it was read."""
        return self._spool.count_missing()

    def read_on(self) -> int:
        """Look for missing rows in what the topic got meanwhile; return how many are still missing.

        Raises:
            TopicError: Kafka cannot be asked.
        """
        bounds = self._reader.bounds_now(self.topic)
        ranges = {
            place: (max(each.begin, self._ends.get(place, 0)), each.end)
            for place, each in bounds.items()
        }
        for portion in chain.from_iterable(self._reader.read(ranges)):
            for record in portion.records:
                message_id = id_of(dict(record.headers).get("ce_id"))
                wanted = self._spool.take_missing(message_id) if message_id else None
                if message_id and wanted:
                    found = fingerprint(record.key, record.value, record.headers)
                    self._require_equal(message_id, wanted, found)
        self._ends = {place: each.end for place, each in bounds.items()}
        return self.missing

    def look_for_rows_again(self, outboxes: Outboxes) -> None:
        """Strike off the phantoms whose row exists by now: a commit may be published just before it is visible."""
        for phantoms in self._spool.take_findings(Kind.PHANTOM, BATCH):
            kept_since = outboxes.messages_kept_since()
            ids = [message_id for message_id, _ in phantoms]
            rows = {row.id.bytes: row for _, row in outboxes.rows_by_now(self.topic, ids)}
            for message_id, places in phantoms:
                if row := rows.get(message_id):
                    for digests in self._spool.copies(message_id):
                        self._require_equal(message_id, _fingerprint_of(row), digests)
                else:
                    pruned = self._is_pruned(message_id, kept_since)
                    kind = Kind.PRUNED if pruned else Kind.PHANTOM
                    self._spool.find(kind, message_id, places)

    def check_order(self) -> None:
        """Find events that lie behind a later version of their aggregate."""
        for message_id, partition, offset, version, seen in self._spool.disordered():
            where = f"version {version} at {partition}/{offset} lies behind version {seen}"
            self._spool.find(Kind.DISORDERED, message_id, where)

    def since(self) -> datetime | None:
        return self._rows_window().since

    def _copies(self) -> Iterator[tuple[bytes, Copies]]:
        for message_id, records in groupby(self._spool.records_by_id(), key=itemgetter(1)):
            yield message_id, [(number, *rest) for number, _, *rest in records]  # type: ignore[misc]

    def _is_pruned(self, message_id: bytes, kept_since: datetime | None) -> bool:
        """Tell whether the row may have been dropped with its day, which happens to what is no event."""
        since = made_at(UUID(bytes=message_id))
        return (
            kept_since is not None
            and since is not None
            and since < kept_since
            and not self._spool.is_event(message_id)
        )

    def _require_equal(self, message_id: bytes, wanted: Fingerprint, found: Fingerprint) -> None:
        if wanted != found:
            parts = " and ".join(wanted.differing(found))
            self._spool.find(Kind.DIFFERENT, message_id, f"its record has another {parts}")

    def _suppose_retention(self, emptied: set[int]) -> None:
        """Of a partition that lost all its records, suppose that nothing younger than its retention was deleted."""
        kept = retention(self._reader.bootstrap, [self.topic])[self.topic] if emptied else None
        if kept:
            self._kept_since |= dict.fromkeys(emptied, datetime.now(UTC) - kept)

    def _rows_window(self) -> Window:
        """Leave out the rows that no partition can have any more."""
        if self._window.since or len(self._kept_since) < len(self._ends):
            return self._window
        since = min(self._kept_since.values(), default=None)
        return replace(self._window, since=since - CLOCK_SLACK if since else None)

    def _compare_row(self, source: str, row: OutboxRow, copies: Copies, notes: "_Notes") -> None:
        wanted = _fingerprint_of(row)
        for _, partition, offset, digests in copies:
            if digests != wanted:
                parts = " and ".join(wanted.differing(digests))
                notes.find(
                    Kind.DIFFERENT, row.id.bytes, f"{partition}/{offset} has another {parts}"
                )
        if copies:
            return
        if self._may_be_deleted(row):
            self.too_old += 1
        else:
            notes.missing.append((source, row, wanted))

    def _may_be_deleted(self, row: OutboxRow) -> bool:
        """Tell whether the row may have been in Kafka, which has deleted records of its time since."""
        if not self._kept_since or row.occurred_at >= max(self._kept_since.values()):
            return False
        since = self._kept_since.get(partition_of(row.aggregate_id.encode(), len(self._ends)))
        return since is not None and row.occurred_at < since


def read_topics(comparisons: Sequence[Comparison], reader: TopicReader, progress: Progress) -> None:
    """Read the topics of several comparisons together, each up to where it ends now.

    Raises:
        TopicError: Kafka cannot be asked.
    """
    by_topic = {each.topic: each for each in comparisons}
    bounds = reader.bounds_now(*by_topic)
    ranges: dict[Place, tuple[int, int]] = {}
    for topic, each in by_topic.items():
        ranges |= each.ranges({p: found for p, found in bounds.items() if p.topic == topic})
    done = 0
    with progress("records read", sum(end - start for start, end in ranges.values())) as show:
        for portions in reader.read(ranges):
            for topic, each in by_topic.items():
                each.take([portion for portion in portions if portion.place.topic == topic])
            done += sum(len(portion.records) for portion in portions)
            show(done)
    for each in comparisons:
        each.end_reading()


class _Notes:
    """What is noted while comparing, written down in batches."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._found: list[tuple[Kind, bytes, str]] = []
        self.repeated: list[int] = []
        self.missing: list[tuple[str, OutboxRow, Fingerprint]] = []

    def find(self, kind: Kind, message_id: bytes, detail: str) -> None:
        self._found.append((kind, message_id, detail))
        if len(self._found) >= BATCH:
            self.write()

    def write(self) -> None:
        self._spool.find_many(self._found)
        self._spool.note_repeated(self.repeated)
        self._spool.add_missing(self.missing)
        for each in (self._found, self.repeated, self.missing):
            each.clear()


def _side_by_side(
    rows: Iterator[tuple[str, OutboxRow]], records: Iterator[tuple[bytes, Copies]]
) -> Iterator[tuple[bytes, tuple[str, OutboxRow] | None, Copies]]:
    row, record = next(rows, None), next(records, None)
    while row or record:
        row_id = row[1].id.bytes if row else None
        if row and row_id and (record is None or row_id < record[0]):
            yield row_id, row, ()
            row = next(rows, None)
        elif record and (row_id is None or record[0] < row_id):
            yield record[0], None, record[1]
            record = next(records, None)
        elif row and record:
            yield record[0], row, record[1]
            row, record = next(rows, None), next(records, None)


def _fingerprint_of(row: OutboxRow) -> Fingerprint:
    record = record_of(row)
    return fingerprint(record.key, record.value, record.headers)


def _places(copies: Copies) -> str:
    shown = ", ".join(f"{partition}/{offset}" for _, partition, offset, _ in copies[:COPIES_SHOWN])
    return (
        shown if len(copies) <= COPIES_SHOWN else f"{shown} and {len(copies) - COPIES_SHOWN} more"
    )
