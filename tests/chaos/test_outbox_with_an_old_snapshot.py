"""An outbox under load while a session sits idle in a transaction: deleting frees nothing, dropping days does."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Self

import psycopg
import pytest

from cdc.retention import slot
from infra.local.probe import wait_until
from tests.outboxes import OutboxSchema, confirm_all, open_outbox, send, slot_at_will
from tests.stack import RunningStack

DAYS = range(20, 10, -1)
KEPT_DAYS = 2
ROWS_A_DAY = 4_000
ROW_BYTES = 1_000
APPENDS_A_DAY = 150
FLAT_S = 0.1
"""A p99 below this is flat, however fast it was at first: the days are filled and dropped on the same processors."""


@contextmanager
def idle_in_transaction(stack: RunningStack) -> Iterator[None]:
    """A session that has looked at something long ago, and has not ended its transaction."""
    with psycopg.connect(stack.database_url("orders")) as idle:
        idle.execute("set transaction isolation level repeatable read")
        idle.execute("select count(*) from customer_order")
        with psycopg.connect(stack.database_url("postgres")) as superuser:
            [row] = superuser.execute(
                "select state, backend_xmin is not null from pg_stat_activity where pid = %s",
                [idle.info.backend_pid],
            ).fetchall()
        assert row == ("idle in transaction", True)
        yield


class Load:
    """Messages sent one by one, and how long each took from statement to commit."""

    def __init__(self, outbox: OutboxSchema) -> None:
        self.seconds: list[float] = []
        self._outbox = outbox
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self._outbox.connect() as connection:
            while not self._stop.wait(0.002):
                begin = time.perf_counter()
                send(connection, size=ROW_BYTES)
                connection.commit()
                self.seconds.append(time.perf_counter() - begin)


def more(load: Load, seen: int) -> bool:
    """Tell whether enough was appended since so much had been."""
    return len(load.seconds) - seen >= APPENDS_A_DAY


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


@pytest.mark.alone
def test_dropping_days_keeps_an_outbox_small_where_deleting_would_not(stack: RunningStack) -> None:
    with open_outbox(stack) as outbox, slot_at_will(stack) as publisher:
        outbox.make_past(DAYS)
        outbox.fill(DAYS[0], ROWS_A_DAY, size=ROW_BYTES)
        day_bytes = message_bytes(outbox)
        make_plain(outbox)
        plain_day_bytes = relation_bytes(outbox, "plain")
        with idle_in_transaction(stack), Load(outbox) as load:
            wait_until("too few appends", partial(more, load, 0), timeout_s=20)
            sizes, slow, seen = [], [], len(load.seconds)
            for ago in DAYS[1:]:
                outbox.fill(ago, ROWS_A_DAY, size=ROW_BYTES)
                grow_plain(outbox)
                outbox.maintain(keep=ago + KEPT_DAYS - 1, publisher=slot(publisher))
                confirm_all(stack, publisher)
                outbox.maintain(keep=ago + KEPT_DAYS - 1, publisher=slot(publisher))
                sizes.append(message_bytes(outbox))
                wait_until("too few appends", partial(more, load, seen), timeout_s=20)
                slow.append(p99(load.seconds[seen:]))
                seen = len(load.seconds)
            delete_from_plain(outbox)
            plain_bytes = relation_bytes(outbox, "plain")

        written = len(load.seconds) * 2 * ROW_BYTES
        assert max(sizes) < (KEPT_DAYS + 1) * day_bytes + written, (
            "the outbox has grown with the days"
        )
        assert plain_bytes > 0.9 * len(DAYS) * plain_day_bytes, (
            "deleting gave space back, so nothing was shown"
        )
        early, late = statistics.median(slow[:3]), statistics.median(slow[-3:])
        assert late < max(3 * early, FLAT_S), f"appending has become slower: {slow}"

        # and it was the old snapshot that stood in the way
        delete_from_plain(outbox)
        assert relation_bytes(outbox, "plain") < day_bytes


def make_plain(outbox: OutboxSchema) -> None:
    """Make what an outbox is without partitions, with the same rows."""
    with outbox.owner() as connection:
        connection.execute("create table plain (like outbox)")
        connection.execute("alter table plain set (autovacuum_enabled = off)")
        connection.execute("insert into plain select * from outbox")


def grow_plain(outbox: OutboxSchema) -> None:
    """Let a day pass: as many rows come, and those of before are deleted."""
    with outbox.owner() as connection:
        connection.execute("delete from plain")
        connection.execute(
            "insert into plain select * from outbox where occurred_at < now() - interval '9 days'"
            " order by occurred_at desc limit %s",
            [ROWS_A_DAY],
        )
    vacuum(outbox)


def delete_from_plain(outbox: OutboxSchema) -> None:
    with outbox.owner() as connection:
        connection.execute("delete from plain")
    vacuum(outbox)


def vacuum(outbox: OutboxSchema) -> None:
    with outbox.owner() as connection:
        connection.autocommit = True
        connection.execute("vacuum plain")


def message_bytes(outbox: OutboxSchema) -> int:
    return sum(relation_bytes(outbox, name) for name in outbox.partitions())


def relation_bytes(outbox: OutboxSchema, name: str) -> int:
    with outbox.owner() as connection:
        [size] = connection.execute("select pg_total_relation_size(%s)", [name]).fetchone() or [0]
        return int(str(size))
