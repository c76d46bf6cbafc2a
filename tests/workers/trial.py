"""A trial of the consumer runtime: a topic, workers that read it, what is sent, and the ledger of its effects."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from cdc.ids import new_id
from infra.services import OWNER
from tests.kafka import ends_of
from tests.produce import create_topic
from tests.stack import RunningStack
from tests.workers import ledger
from tests.workers.fleet import Fleet
from tests.workers.load import Load

SCHEMA = "analytics"


@dataclass(frozen=True, slots=True)
class Entry:
    """An effect.

    Args:
        message_id: The message that had it.
        key: Its key.
        number: Its number within the key.
        partition: Partition it lay in.
        offset: Offset within the partition.
        pid: The worker.
    """

    message_id: UUID
    key: str
    number: int
    partition: int
    offset: int
    pid: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A consumer that is tried.

    Args:
        stack: The running stack.
        directory: Where the workers note the calls of their handlers.
        consumer: Name of the consumer and of its group.
        topic: Topic that it reads.
        fleet: Its workers.
        load: What it is sent.
    """

    stack: RunningStack
    directory: Path
    consumer: str
    topic: str
    fleet: Fleet
    load: Load

    def entries(self) -> list[Entry]:
        """Return every effect, in the order in which they were written."""
        query = (
            'select message_id, key, number, partition, "offset", pid from ledger_entry'
            " where consumer = %s order by entry_id"
        )
        with self._connect() as connection, connection.cursor(row_factory=class_row(Entry)) as rows:
            return rows.execute(query, [self.consumer]).fetchall()

    def effects(self) -> int:
        """Return how many effects there are."""
        return self._number("select count(*) from ledger_entry where consumer = %s")

    def duplicates(self) -> int:
        """Return how many deliveries were dropped because their effect existed."""
        return self._number("select sum(duplicates) from consumer_offset where consumer = %s")

    def positions(self) -> dict[int, int]:
        """Return the position in each partition."""
        query = "select partition, next_offset from consumer_offset where consumer = %s"
        with self._connect() as connection:
            return dict(connection.execute(query, [self.consumer]).fetchall())

    def parked(self) -> list[dict[str, Any]]:
        """Return what is parked, in the order in which it was."""
        query = (
            "select * from parked_message join parked_sequence using (sequence_id, consumer, topic)"
            " where consumer = %s order by parked_id"
        )
        with self._connect() as connection, connection.cursor(row_factory=dict_row) as rows:
            return rows.execute(query, [self.consumer]).fetchall()

    def calls(self) -> Counter[UUID]:
        """Return how often a handler was called for each message."""
        return Counter(ledger.calls_of(self.directory))

    def uncommitted(self) -> set[UUID]:
        """Return the messages for which a handler was called and that have had no effect yet."""
        called = set(
            self.calls()
        )  # before the effects: one that is written in between is no finding
        return called - {entry.message_id for entry in self.entries()}

    def release(self) -> None:
        """Let go on the handlers that are held."""
        (self.directory / ledger.RELEASE).touch()

    def transactions(self) -> int:
        """Return how many transactions wrote the effects."""
        return self._number(
            "select count(distinct xmin::text) from ledger_entry where consumer = %s"
        )

    def wait_effects(self, number: int, *, timeout_s: float = 60.0) -> float:
        """Wait until there are so many effects, and return the seconds that took."""
        return self.fleet.wait_until(
            f"there are not {number} effects",
            lambda: self.effects() >= number,
            timeout_s=timeout_s,
        )

    def wait_more_effects(self, number: int, *, timeout_s: float = 60.0) -> float:
        """Wait until there are so many more effects than now, and return the seconds that took."""
        return self.wait_effects(self.effects() + number, timeout_s=timeout_s)

    def wait_at_end(self, *, timeout_s: float = 60.0) -> float:
        """Wait until the positions lie behind the last record of every partition, and return the seconds that took."""
        ends = ends_of(self.stack, self.topic)

        def at_end() -> bool:
            nonlocal ends
            if self.positions() != ends:
                return False
            # a client for each look would cost more than the workers do
            ends = ends_of(self.stack, self.topic)
            return self.positions() == ends

        return self.fleet.wait_until(
            "the positions have not come to the end", at_end, timeout_s=timeout_s
        )

    def wait_called(self, *message_ids: UUID) -> None:
        """Wait until handlers were called for messages."""
        self.fleet.wait_until(
            "not all handlers were called",
            lambda: set(message_ids) <= set(self.calls()),
        )

    def assert_each_once_in_order(self) -> list[Entry]:
        """Compare the effects with what was sent, and return them: none lost, none twice, each key in its order."""
        entries = self.entries()
        written = Counter(entry.message_id for entry in entries)
        sent = {record.message_id for record in self.load.sent}
        lost, strange = sent - set(written), set(written) - sent
        assert not lost, f"{len(lost)} of {len(sent)} events had no effect"
        assert not strange, f"{len(strange)} effects of no event"
        assert max(written.values()) == 1, f"{len(entries) - len(written)} effects too many"
        by_key: dict[str, list[int]] = defaultdict(list)
        by_partition: dict[int, list[int]] = defaultdict(list)
        for entry in entries:
            by_key[entry.key].append(entry.number)
            by_partition[entry.partition].append(entry.offset)
        for key, numbers in by_key.items():
            assert numbers == sorted(numbers), f"the order of {key} was broken: {numbers}"
        for partition, offsets in by_partition.items():
            assert offsets == sorted(offsets), f"the order of partition {partition} was broken"
        return entries

    def _number(self, query: str) -> int:
        with self._connect() as connection:
            row = connection.execute(query.encode(), [self.consumer]).fetchone()
        return int(row[0] or 0) if row else 0

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self.stack.database_url(OWNER), options=f"-c search_path={SCHEMA}", autocommit=True
        )


@contextmanager
def open_trial(
    stack: RunningStack,
    directory: Path,
    *,
    partitions: int = 1,
    keys: int = 1,
    config: Mapping[str, str] | None = None,
) -> Iterator[Trial]:
    """Make a topic and a consumer for it, and kill its workers when the block ends.

    Args:
        stack: The running stack.
        directory: Where the workers note the calls of their handlers.
        partitions: Partitions of the topic.
        keys: How many keys the events are spread over.
        config: Settings of the topic that differ.
    """
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(ledger.TABLE.encode())
    consumer = f"test-{new_id()}"
    topic = create_topic(stack, name=consumer, partitions=partitions, config=config)
    fleet = Fleet(stack, directory, consumer=consumer, topic=topic, partitions=partitions)
    with fleet.at_work():
        yield Trial(stack, directory, consumer, topic, fleet, Load(stack, topic, keys))
