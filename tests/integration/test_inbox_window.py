"""The inbox by days: what it remembers, what it forgets, and that forgetting disturbs nobody."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from cdc.ids import new_id
from consumers.runtime.window import EVERYTHING
from tests.again import show
from tests.inboxes import Inbox, id_from, open_inbox
from tests.stack import RunningStack


@pytest.fixture
def inbox(stack: RunningStack) -> Iterator[Inbox]:
    with open_inbox(stack) as inbox:
        yield inbox


def day(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).strftime("%Y%m%d")


def test_days_are_made_ahead_and_as_far_back_as_the_window(inbox: Inbox) -> None:
    covered = inbox.keep(timedelta(days=2))
    assert inbox.days() == [day(timedelta(days=ago)) for ago in (2, 1, 0, -1, -2, -3)]
    assert covered.remembers(str(id_from(timedelta(days=1, hours=23))))
    assert not covered.remembers(str(id_from(timedelta(days=3, minutes=1))))
    assert covered.begins_before(str(id_from(timedelta(days=-2))))
    assert not covered.begins_before(str(id_from(timedelta(days=-5))))


def test_an_id_is_taken_once_as_long_as_its_day_is_there(inbox: Inbox) -> None:
    inbox.keep(timedelta(days=15))
    inside, outside = id_from(timedelta(days=14)), id_from(timedelta(days=17))
    assert inbox.take(inside, new_id(), inside) == 2
    assert inbox.take(inside) == 0
    with pytest.raises(CheckViolation):
        inbox.take(outside)


def test_the_longest_window_of_the_schemas_consumers_counts(inbox: Inbox) -> None:
    inbox.keep(timedelta(days=9), "patient")
    inbox.keep(timedelta(days=1), "hasty")
    assert inbox.days()[0] == day(timedelta(days=9))
    inbox.keep(timedelta(days=2), "patient")
    assert inbox.days()[0] == day(timedelta(days=2))
    inbox.keep(timedelta(days=4), "patient")
    assert inbox.days()[0] == day(timedelta(days=4))


def test_a_consumer_that_remembers_for_ever_takes_ids_of_any_age(inbox: Inbox) -> None:
    assert inbox.keep(None).first == EVERYTHING
    ancient = id_from(timedelta(days=9000))
    assert inbox.take(ancient) == 1
    inbox.keep(None)
    assert inbox.take(ancient) == 0
    # with an end to it, what is older than the first day goes as soon as that day is old enough
    inbox.keep(timedelta(days=1))
    assert inbox.take(ancient) == 0
    with inbox.owner() as connection:
        connection.execute("update inbox_window set kept = interval '1 minute'")
    inbox.keep(timedelta(microseconds=1))
    assert "earlier" not in inbox.days()


def test_a_day_is_dropped_whole_while_others_are_written(inbox: Inbox) -> None:
    inbox.keep(timedelta(days=20))
    with inbox.owner() as connection:
        connection.execute(
            "insert into inbox select 'c', overlay(gen_random_uuid()::text placing %s from 1 for 13)::uuid"
            " from generate_series(1, 100000)",
            [str(id_from(timedelta(days=18)))[:13]],
        )
    written, stop, failures = [0], threading.Event(), list[Exception]()

    def write() -> None:
        with inbox.service() as connection:
            while not stop.is_set():
                try:
                    with connection.transaction():
                        connection.execute("insert into inbox values ('c', %s)", [new_id()])
                    written[0] += 1
                except psycopg.Error as error:
                    failures.append(error)
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        before = written[0]
        inbox.keep(timedelta(days=15))
        show(written[0] > before, "nothing was written meanwhile")
    finally:
        stop.set()
        writer.join()
    assert failures == []
    assert inbox.days()[0] == day(timedelta(days=15))
    with inbox.owner() as connection:
        assert connection.execute("select count(*) from inbox").fetchone() == (written[0],)
        deleted = connection.execute(
            "select sum(n_tup_del) from pg_stat_user_tables where schemaname = %s", [inbox.schema]
        )
        assert deleted.fetchone() == (0,)


def test_dropping_gives_up_rather_than_hold_up_the_workers(inbox: Inbox) -> None:
    inbox.keep(timedelta(days=20))
    with inbox.service() as reader:
        reader.execute("select count(*) from inbox")  # holds a lock until its transaction ends
        inbox.keep(timedelta(days=15))
        assert inbox.days()[0] == day(timedelta(days=20))
    inbox.keep(timedelta(days=15))
    assert inbox.days()[0] == day(timedelta(days=15))


def test_the_service_may_have_days_made_and_dropped_and_nothing_else(inbox: Inbox) -> None:
    inbox.keep(timedelta(days=15))
    for statement in ("drop table inbox", "create table mine (i int)", "delete from inbox"):
        with inbox.service() as connection, pytest.raises(InsufficientPrivilege):
            connection.execute(statement.encode())
    with inbox.service() as connection:
        connection.execute("select maintain_inbox()")


def test_the_migration_keeps_what_the_inbox_holds(stack: RunningStack, inbox: Inbox) -> None:
    held = [id_from(timedelta(days=ago)) for ago in (0, 1, 40)]
    with inbox.owner() as connection:
        runtime = "drop table inbox, inbox_window; drop function maintain_inbox(), inbox_id_at(timestamptz);"
        connection.execute(runtime.encode())
        connection.execute(
            "drop table parked_message, parked_sequence, parked_action, saga_lock, saga_stash, saga_unlock;"
            " alter table consumer_offset drop topic_id, drop lost, drop reset_at, drop reset_reason"
        )
        connection.execute(
            "create table inbox (consumer text, message_id uuid, primary key (consumer, message_id))"
        )
        connection.execute(
            "update alembic_version_consumers_runtime set version_num = 'runtime_0001'"
        )
        connection.cursor().executemany("insert into inbox values ('c', %s)", [[i] for i in held])
    inbox.upgrade()
    inbox.keep(timedelta(days=15))
    assert inbox.take(*held) == 0
