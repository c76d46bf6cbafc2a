"""Order through the relay, whatever the order in which transactions begin, write and commit.

Two readers that pollers commonly are break it in the same states.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run
from psycopg.rows import args_row

from cdc.envelope import COLUMNS, OutboxRow
from cdc.ids import new_id
from cdc.relay import tail
from cdc.relay.progress import Progress, groups
from tests.relays.order import broken
from tests.relays.world import World, open_world
from tests.stack import RunningStack

WRITERS = 4
AGGREGATES = 3
SHARDS = 2
TIMES = settings(
    database=None,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)


class Reader(Protocol):
    """Reads an outbox from where it is made on."""

    def read(self, shards: Sequence[int], *, delivered: int, marked: int) -> list[OutboxRow]:
        """Return what reached Kafka before the reader broke down: so many chunks, fewer of them marked."""


class Snapshots:
    """The relay's reader."""

    def __init__(self, world: World, connection: psycopg.Connection[Any]) -> None:
        self._tail = tail.Tail(world.outbox, connection)
        [[now]] = connection.execute("select pg_current_snapshot()::text").fetchall()
        self._reached = dict.fromkeys(range(SHARDS), Progress(now))

    def read(self, shards: Sequence[int], *, delivered: int, marked: int) -> list[OutboxRow]:
        rows: list[OutboxRow] = []
        known = {shard: self._reached[shard] for shard in shards}
        chunks = self._tail.read(groups(known), SHARDS)
        for number, chunk in enumerate(chunks):
            if number >= delivered:
                break
            rows += chunk.rows
            if number < marked:
                self._reached |= dict.fromkeys(chunk.shards, chunk.progress)
        chunks.close()
        return rows


class Numbers:
    """A poller that remembers the last number."""

    def __init__(self, world: World, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._last = self._newest()

    def read(self, shards: Sequence[int], *, delivered: int, marked: int) -> list[OutboxRow]:
        del shards, delivered, marked
        rows = self._rows("select {} from outbox where seq > %s order by seq", [self._last])
        self._last = rows[-1].seq if rows else self._last
        return rows

    def _newest(self) -> int:
        [[newest]] = self._connection.execute("select max(seq) from outbox").fetchall()
        self._connection.rollback()
        return newest or 0

    def _rows(self, query: str, values: Sequence[Any]) -> list[OutboxRow]:
        with self._connection.cursor(row_factory=args_row(OutboxRow)) as cursor:
            text = query.format(COLUMNS.as_string()).encode()
            rows = cursor.execute(text, values).fetchall()
        self._connection.rollback()
        return rows


class Horizon(Numbers):
    """A poller that waits until no older transaction is open, and then goes by the ids of transactions."""

    def __init__(self, world: World, connection: psycopg.Connection[Any]) -> None:
        super().__init__(world, connection)
        self._seen = {row.seq for row in self._rows("select {} from outbox", [])}

    def read(self, shards: Sequence[int], *, delivered: int, marked: int) -> list[OutboxRow]:
        query = (
            "select {} from outbox where transaction_id < pg_snapshot_xmin(pg_current_snapshot())"
            " order by transaction_id, seq"
        )
        rows = [row for row in self._rows(query, []) if row.seq not in self._seen]
        self._seen.update(row.seq for row in rows)
        return rows


class History(RuleBasedStateMachine):
    """Transactions that write to aggregates side by side, and a reader that looks at any moment."""

    world: World
    reader: Callable[[World, psycopg.Connection[Any]], Reader]
    writers: Sequence[psycopg.Connection[Any]]
    session: psycopg.Connection[Any]

    def __init__(self) -> None:
        super().__init__()
        self.run = new_id().hex
        self.committed: dict[int, int] = defaultdict(int)
        self.open: dict[int, dict[int, int]] = {}  # writer -> aggregate -> the version it has made
        self.seen: dict[str, list[int]] = defaultdict(list)
        self.source = type(self).reader(self.world, self.session)

    @precondition(lambda self: len(self.open) < WRITERS)
    @rule()
    def begins(self) -> None:
        self.begin(next(number for number in range(WRITERS) if number not in self.open))

    @precondition(lambda self: self.open)
    @rule(data=st.data(), aggregate=st.integers(0, AGGREGATES - 1), events=st.integers(1, 3))
    def appends(self, data: st.DataObject, aggregate: int, events: int) -> None:
        writer = data.draw(st.sampled_from(sorted(self.open)))
        if not any(aggregate in made for other, made in self.open.items() if other != writer):
            self.append(writer, aggregate, events)  # else it would wait for the other one

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def commits(self, data: st.DataObject) -> None:
        self.commit(data.draw(st.sampled_from(sorted(self.open))))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def rolls_back(self, data: st.DataObject) -> None:
        writer = data.draw(st.sampled_from(sorted(self.open)))
        self.writers[writer].rollback()
        del self.open[writer]

    @rule(
        shards=st.sampled_from([(0,), (1,), (0, 1)]),
        delivered=st.integers(0, 8),
        lost=st.integers(0, 2),
    )
    def reads(self, shards: Sequence[int], delivered: int, lost: int) -> None:
        self._take(self.source.read(shards, delivered=delivered, marked=delivered - lost))

    @invariant()
    def versions_rise_by_one(self) -> None:
        assert broken(self.seen) == [], "a key's order is broken"

    def begin(self, writer: int) -> None:
        """Begin a transaction, which takes its id at once."""
        self.writers[writer].execute("select pg_current_xact_id()")
        self.open[writer] = {}

    def append(self, writer: int, aggregate: int, events: int = 1) -> None:
        """Write the next versions of an aggregate."""
        version = self.open[writer].get(aggregate, self.committed[aggregate])
        key = f"{self.run}-{aggregate}"
        self.world.canaries.append(self.writers[writer], key, after_version=version, events=events)
        self.open[writer][aggregate] = version + events

    def commit(self, writer: int) -> None:
        """Commit what a writer has written."""
        self.writers[writer].commit()
        self.committed |= self.open.pop(writer)

    def read(self) -> None:
        """Read everything that is to be seen now."""
        self._take(self.source.read(range(SHARDS), delivered=10**6, marked=10**6))

    def teardown(self) -> None:
        for writer in list(self.open):
            self.commit(writer)
        self.read()
        self.versions_rise_by_one()
        newest = {f"{self.run}-{number}": n for number, n in self.committed.items() if n}
        assert {key: len(seen) for key, seen in self.seen.items()} == newest, "something is lost"

    def _take(self, rows: Sequence[OutboxRow]) -> None:
        """What comes again is dropped, as consumers do."""
        for row in rows:
            known = self.seen[row.aggregate_id] if row.aggregate_id.startswith(self.run) else []
            if row.aggregate_version not in known:
                known.append(row.aggregate_version or 0)


@pytest.fixture(scope="module")
def world(stack: RunningStack) -> Iterator[World]:
    with open_world(stack) as world:
        yield world


@pytest.fixture
def history(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[History]]:
    """The machine, with small chunks so that readings have many."""
    monkeypatch.setattr(tail, "AT_ONCE", 2)
    monkeypatch.setattr(tail, "AT_MOST", 3)
    with ExitStack() as stack:
        writers = [stack.enter_context(world.connect()) for _ in range(WRITERS)]
        session = stack.enter_context(tail.Tail.connect(world.outbox, world.owner_url, idle_s=600))
        try:
            yield type(
                "History",
                (History,),
                {"world": world, "writers": writers, "session": session},
            )
        finally:
            for writer in writers:
                writer.rollback()


def test_the_relay_keeps_every_key_in_order_and_loses_nothing(history: type[History]) -> None:
    history.reader = Snapshots
    run(history, settings=settings(TIMES, max_examples=100))


def late_commit(history: History) -> None:
    """The first to write is the last to commit."""
    for writer in (0, 1):
        history.begin(writer)
        history.append(writer, aggregate=writer)
    history.commit(1)
    history.read()
    history.teardown()


def early_id(history: History) -> None:
    """The transaction with the smallest id writes the second version, while one with an id in between is open."""
    for writer in (0, 1, 2):
        history.begin(writer)
    history.append(2, aggregate=0)
    history.commit(2)
    history.append(0, aggregate=0)
    history.commit(0)
    history.read()
    history.versions_rise_by_one()
    history.teardown()


@pytest.mark.parametrize(
    ("reader", "story", "what"),
    [
        (Numbers, late_commit, "something is lost"),
        (Horizon, early_id, r"a key's order is broken"),
    ],
)
def test_other_pollers_do_not(
    history: type[History], reader: Any, story: Callable[[History], None], what: str
) -> None:
    history.reader = reader
    with pytest.raises(AssertionError, match=what):
        story(history())
    for writer in history.writers:
        writer.rollback()
    history.reader = Snapshots
    story(history())


def test_only_what_is_new_is_read_though_nothing_is_known_of_the_log(stack: RunningStack) -> None:
    """A day's table is not analyzed for its first minute, nor one that autovacuum does not get round to."""
    with (
        open_world(stack) as world,
        world.connect() as writer,
        tail.Tail.connect(world.outbox, world.owner_url, idle_s=600) as session,
    ):
        world.canaries.append(writer, "published", after_version=0, events=2_000)
        writer.commit()
        [[now]] = writer.execute("select pg_current_snapshot()::text").fetchall()
        world.canaries.append(writer, "new", after_version=0, events=3)
        writer.commit()
        [[known]] = writer.execute(
            "select reltuples from pg_class where oid = 'outbox_event'::regclass"
        ).fetchall()
        assert known == -1, "nothing is known of it"
        chunks = tail.Tail(world.outbox, session).read(groups({0: Progress(now)}), 1)
        assert [len(chunk.rows) for chunk in chunks] == [3]
        session.execute("select pg_stat_force_next_flush()")
        [[read]] = writer.execute(
            "select sum(seq_tup_read + idx_tup_fetch) from pg_stat_user_tables"
            " where schemaname = %s",
            [world.outbox],
        ).fetchall()
        assert read < 100, "and not the whole log"
