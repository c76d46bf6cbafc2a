"""Relays at work: sharing, dying, standing still, and what they write to Kafka."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql

from cdc.relay.handover import SHARDS
from infra.services import OWNER, RELAY, SUPERUSER
from tests.again import show
from tests.kafka import records_of
from tests.meanwhile import meanwhile
from tests.relays.order import broken, first_versions
from tests.relays.world import TAKEOVER_S, World, open_world
from tests.stack import RunningStack

KEYS = 40
HOLD_S = 30
PATIENT = {"TAILRACE_RELAY_TAKEOVER_S": "15"}
"""For relays with much to do: on a busy machine a batch may take longer than one that stands still has here."""


@pytest.fixture
def world(stack: RunningStack) -> Iterator[World]:
    with open_world(stack) as world:
        yield world


class Writer:
    """Appends to one aggregate after the other."""

    def __init__(self, world: World, *, pause_s: float = 0.002) -> None:
        self._world = world
        self._pause_s = pause_s
        self.written: Counter[str] = Counter()

    def at_work(self) -> AbstractContextManager[None]:
        """Write while the block runs."""
        return meanwhile(self._write)

    def _write(self, stopped: threading.Event) -> None:
        with self._world.connect() as connection:
            while not stopped.wait(self._pause_s):
                key = f"k{sum(self.written.values()) % KEYS}"
                self._world.canaries.append(connection, key, after_version=self.written[key])
                connection.commit()
                self.written[key] += 1


def copies_of(world: World) -> Counter[str]:
    """Return how many records there are of each message."""
    records = records_of(world.stack, world.topic)
    return Counter({message_id: len(copies) for message_id, copies in records.items()})


def require_all_in_order(world: World, written: Counter[str]) -> None:
    """Every version of every key came, and each for the first time behind the one before."""
    world.wait_published()
    versions = first_versions(world.stack, world.topic)
    assert broken(versions) == []
    assert {key: len(seen) for key, seen in versions.items()} == dict(written)


def test_relays_that_come_and_go_share_the_work(world: World) -> None:
    writer = Writer(world)
    with writer.at_work():
        world.start(1)
        world.start(2)
        leaving = world.relays.pop(0)
        leaving.ask_to_stop()
        assert leaving.wait(10) == 0
        world.wait_shared()
        holders = {shard.holder for shard in world.situation().shards}
        assert len(holders) == 2
        world.kill(world.relays[0])
        world.wait_shared()
    require_all_in_order(world, writer.written)
    copies = copies_of(world)
    assert sum(copies.values()) < 2 * len(copies), "everything came twice"


def test_a_killed_relay_publishes_some_twice_and_loses_none(world: World) -> None:
    world.start(2)
    writer = Writer(world)
    with writer.at_work():
        for _ in range(20):
            time.sleep(0.3)
            world.kill(world.relays[0])
            world.start(1)
            if max(copies_of(world).values()) > 1:
                break
    require_all_in_order(world, writer.written)
    show(max(copies_of(world).values()) > 1, "no kill came between publishing and marking")


@pytest.mark.alone
def test_a_relay_that_stood_still_publishes_nothing_after_its_successor(world: World) -> None:
    world.start(2)
    writer = Writer(world)
    with writer.at_work():
        time.sleep(0.5)
        standing = world.relays.pop(0)
        standing.freeze()
        begun = time.monotonic()
        world.wait_shared()
        took = time.monotonic() - begun
        time.sleep(1)
        before = copies_of(world)
        standing.thaw()
        world.relays.append(standing)
        world.wait_shared()
    require_all_in_order(world, writer.written)
    assert took > TAKEOVER_S - 2
    show("begins anew" not in world.relays[0].log(), "its successor stood still as well")
    again = copies_of(world)
    assert [message_id for message_id in before if again[message_id] > before[message_id]] == []
    assert "begins anew" in standing.log()


def test_what_waited_in_the_producer_of_a_relay_that_stood_still_is_dropped(world: World) -> None:
    world.start(1)
    [frozen] = world.relays
    with world.stack.frozen("kafka"):
        with world.connect() as connection:
            for number in range(400):
                world.canaries.append(connection, f"k{number}", after_version=0)
        time.sleep(0.5)  # they are handed over, and the broker takes none
        frozen.freeze()
    world.relays = [world.launch()]
    world.wait_shared()
    world.wait_published()
    before = copies_of(world)
    assert len(before) == 400
    frozen.thaw()
    world.relays.append(frozen)
    world.wait_shared()
    time.sleep(1)
    assert copies_of(world) == before
    assert max(before.values()) <= 2
    assert "begins anew" in frozen.log()


def test_a_backlog_is_gone_on_with_where_it_was_marked(world: World) -> None:
    rows = 60_000
    with world.connect() as connection:
        connection.execute(
            "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload,"
            " correlation_id) select gen_random_uuid(), 'event', %s, 'canary', 'k' || n %% 100, 1 + n / 100, 'x',"
            " '\\x5a', gen_random_uuid() from generate_series(0, %s - 1) as n",
            [world.topic, rows],
        )
    with held_at_its_second_mark(world):
        world.start(1, **PATIENT)
        world.wait("not all shards are marked", lambda: is_marked(world))
        world.kill(world.relays[0])
    marked = marked_rows(world)
    show(0 < len(marked) < rows, "it was done before it was killed, or had not begun")
    world.start(1, **PATIENT)
    require_all_in_order(world, Counter({f"k{n}": rows // 100 for n in range(100)}))
    # what it had published and not marked, however much that was, came twice
    copies = copies_of(world)
    assert {copies[message_id] for message_id in marked} == {1}, "it began at the beginning"


@contextmanager
def held_at_its_second_mark(world: World) -> Iterator[None]:
    """Have a relay go no further than it has marked once, so that it can be killed there however fast it is."""
    with psycopg.connect(world.stack.database_url(OWNER), autocommit=True) as owner:
        names = {"schema": sql.Identifier(world.progress), "hold": sql.Literal(HOLD_S)}
        owner.execute(
            sql.SQL(
                "create function {schema}.hold() returns trigger language plpgsql as $$ begin"
                " if old.done is not null then perform pg_sleep({hold}); end if; return new; end $$;"
                "create trigger hold before update on {schema}.progress for each row execute function {schema}.hold()"
            ).format(**names)
        )
        yield
        with psycopg.connect(world.stack.database_url(SUPERUSER), autocommit=True) as superuser:
            # it would keep its locks until it has slept, for Postgres does not notice that nobody waits for it
            superuser.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where wait_event = 'PgSleep' and usename = %s",
                [RELAY],
            )
        owner.execute(sql.SQL("drop function {schema}.hold() cascade").format(**names))


def test_what_no_notification_tells_is_found_by_polling(world: World) -> None:
    world.start(1, TAILRACE_RELAY_POLL_S="0.3")
    with world.connect() as connection:
        connection.execute("alter table outbox disable trigger outbox_notify")
        world.canaries.append(connection, "k", after_version=0)
    begun = time.monotonic()
    world.wait_published()
    world.wait("it is not in Kafka", lambda: first_versions(world.stack, world.topic) == {"k": [1]})
    assert time.monotonic() - begun < 10


def test_a_notification_wakes_it(world: World) -> None:
    world.start(1, TAILRACE_RELAY_POLL_S="30")
    time.sleep(1.5)
    with world.connect() as connection:
        world.canaries.append(connection, "k", after_version=0)
    world.wait(
        "it is not in Kafka",
        lambda: first_versions(world.stack, world.topic) == {"k": [1]},
        timeout_s=10,
    )


def test_the_situation_names_holders_and_what_waits(world: World) -> None:
    before = datetime.now(UTC)
    with world.connect() as connection:
        world.canaries.append(connection, "k", after_version=0, events=3)
    situation = world.situation()
    assert [shard.holder for shard in situation.shards] == [None] * SHARDS
    assert situation.pending == 3
    assert 0 <= (situation.oldest_s or -1) <= (datetime.now(UTC) - before).total_seconds() + 1
    world.start(1)
    world.wait_published()
    [holder] = {shard.holder for shard in world.situation().shards}
    assert holder is not None
    assert str(world.relays[0].pid) in holder
    assert world.situation().oldest_s is None


def test_two_naive_pollers_break_the_order_that_two_relays_keep(world: World) -> None:
    """The same checker on both; the pollers' records lie in the same topic, behind those of the relays."""
    writer = Writer(world, pause_s=0)
    with writer.at_work():
        world.start(2, **PATIENT)
        time.sleep(1)
    require_all_in_order(world, writer.written)
    with open_world(world.stack) as other:
        with other.connect() as connection:
            for version in range(0, 300, 5):
                for key in range(KEYS):
                    other.canaries.append(connection, f"k{key}", after_version=version, events=5)
        url = {"TAILRACE_DATABASE_URL": other.owner_url}
        pollers = [other.launch("tests.relays.naive", **url) for _ in range(2)]
        other.relays += pollers
        other.wait("they are not done", lambda: rows_left(other) == 0)
        versions = first_versions(world.stack, other.topic)
    assert sum(map(len, versions.values())) == KEYS * 300
    assert broken(versions), "the pollers were lucky"


def is_marked(world: World) -> bool:
    with world.connect() as connection:
        query = f"select bool_and(done is not null) from {world.progress}.progress"
        [[marked]] = connection.execute(query.encode()).fetchall()
    return bool(marked)


def marked_rows(world: World) -> list[str]:
    """Return the ids of the rows up to which all shards are marked as published."""
    query = f"select id::text from outbox where seq <= (select min(done) from {world.progress}.progress)"
    with world.connect() as connection:
        return [message_id for (message_id,) in connection.execute(query.encode())]


def rows_left(world: World) -> int:
    with world.connect() as connection:
        [[left]] = connection.execute("select count(*) from outbox").fetchall()
    return int(left)


def test_the_relays_role_reads_outboxes_and_writes_nothing_but_progress(
    stack: RunningStack, world: World
) -> None:
    with psycopg.connect(world.relay_url, autocommit=True) as connection:
        [[attributes]] = connection.execute(
            "select array[rolsuper, rolreplication, rolcreaterole, rolcreatedb] from pg_roles where rolname = %s",
            [RELAY],
        ).fetchall()
        assert attributes == [False] * 4
        connection.execute(f"select from {world.outbox}.outbox")
        for statement in (
            f"delete from {world.outbox}.outbox",
            f"update {world.outbox}.outbox set type = 'x'",
            f"select from {world.outbox}.alembic_version_cdc_migrations_outbox",
            "delete from progress",
            "insert into progress select * from progress",
            "update progress set shard = 0",
            "create table t ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
