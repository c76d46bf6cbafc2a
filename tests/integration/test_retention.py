"""Messages by day: made ahead, dropped when old and published and never before, and nobody is disturbed by it."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, InvalidParameterValue, LockNotAvailable

from cdc.ids import new_id
from cdc.retention import slot
from cdc.retention.rounds import Day, hold, release, troubles
from infra.local.probe import wait_until
from infra.services import OUTBOXES, PUBLICATION
from tests.canaries import Canaries
from tests.declaring import declare_topic
from tests.doctor import findings
from tests.kafka import records_of
from tests.outboxes import (
    OutboxSchema,
    confirm_all,
    day_before,
    open_outbox,
    send,
    slot_at_will,
)
from tests.produce import create_topic
from tests.stack import RunningStack

KEPT = timedelta(days=7)
BACKDATED = (
    "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id,"
    " occurred_at)"
)


@pytest.fixture
def outbox(stack: RunningStack) -> Iterator[OutboxSchema]:
    with open_outbox(stack) as outbox:
        yield outbox


def today() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes an outbox, as far as retention can tell: a slot that says so when a test wants it to."""

    stack: RunningStack
    slot_name: str

    @property
    def name(self) -> str:
        return slot(self.slot_name)

    def confirm_all(self) -> None:
        confirm_all(self.stack, self.slot_name)


@pytest.fixture
def publisher(stack: RunningStack) -> Iterator[Publisher]:
    with slot_at_will(stack) as name:
        yield Publisher(stack, name)


def two_rounds(outbox: OutboxSchema, publisher: Publisher) -> dict[str, Day]:
    """Make two rounds: one that notes which days are over, and once all is published, one that drops."""
    outbox.maintain(publisher=publisher.name)
    publisher.confirm_all()
    return outbox.maintain(publisher=publisher.name)


def test_days_are_made_ahead_and_take_what_the_service_sends(outbox: OutboxSchema) -> None:
    names = [f"outbox_message_{today() + timedelta(days=ahead):%Y%m%d}" for ahead in range(4)]
    assert outbox.partitions()[:4] == names
    with outbox.connect() as connection:
        message_id = send(connection)
        row = connection.execute(
            "select tableoid::regclass::text from outbox where id = %s", [message_id]
        )
        assert row.fetchone() == (names[0],)
    assert (
        troubles(list(outbox.maintain(dry_run=True).values()), today=today().date(), kept=KEPT)
        == []
    )


def test_the_migration_leaves_every_row_where_it_is(
    stack: RunningStack, outbox: OutboxSchema
) -> None:
    with outbox.owner() as connection:  # as it was before
        connection.execute(
            "drop function maintain_outbox(text, interval, boolean), outbox_take_over(), outbox_days(),"
            " outbox_unpublished(text, pg_lsn, xid8), outbox_midnight(date);"
            "drop table outbox_day_end, outbox_hold, outbox_message;"
            "create table outbox_message partition of outbox for values in ('message')"
            " partition by range (occurred_at);"
            "create table outbox_message_default partition of outbox_message default;"
            "update alembic_version_cdc_migrations_outbox set version_num = 'outbox_0002'"
        )
    ids = {*outbox.fill(40, 10), *outbox.fill(1, 10), *outbox.fill(0, 10)}
    with outbox.owner() as connection:
        query = "select pg_relation_filenode('outbox_message_default')"
        file_before = connection.execute(query).fetchone()
    outbox.drop_bounds()
    assert "outbox_0003" in outbox.upgrade()
    declare_topic(stack, "none", outbox.schema)
    assert outbox.ids() == ids
    earlier = f"outbox_message_until_{today():%Y%m%d}"
    with outbox.owner() as connection:
        query = f"select pg_relation_filenode('{earlier}')"
        assert connection.execute(query.encode()).fetchone() == file_before, "rows were rewritten"
        assert connection.execute("select count(*) from outbox_message_default").fetchone() == (0,)
    with outbox.connect() as connection:
        send(connection)


def test_nothing_goes_before_its_time(outbox: OutboxSchema, publisher: Publisher) -> None:
    names = outbox.make_past([9, 8, 7, 1])
    for ago in (9, 8, 7, 1):
        outbox.fill(ago, 3)
    told = two_rounds(outbox, publisher)
    assert [told[name].fate for name in names] == ["dropped", "dropped", "kept", "kept"]
    assert set(names) & set(outbox.partitions()) == {names[2], names[3]}
    assert (told[names[2]].why or "").startswith("kept until")
    with pytest.raises(InvalidParameterValue):
        outbox.maintain(keep=0)


def test_a_dry_run_says_what_would_go_and_does_nothing(
    outbox: OutboxSchema, publisher: Publisher
) -> None:
    [old] = outbox.make_past([20])
    ids = set(outbox.fill(20, 3))
    before = outbox.partitions()
    assert outbox.maintain(dry_run=True)[old].why == "its end is noted by the next round"
    outbox.maintain(publisher=publisher.name)  # notes the end
    publisher.confirm_all()
    assert outbox.maintain(publisher=publisher.name, dry_run=True)[old].fate == "dropped"
    assert (outbox.partitions(), outbox.ids()) == (before, ids)


def test_nothing_goes_while_the_publisher_has_not_come_so_far(
    outbox: OutboxSchema, publisher: Publisher
) -> None:
    [old] = outbox.make_past([20])
    ids = set(outbox.fill(20, 3))
    for _ in range(2):
        told = outbox.maintain(publisher=publisher.name)[old]
        assert told.fate == "kept"
        assert f"the replication slot {publisher.slot_name} has confirmed" in (told.why or "")
    assert outbox.ids() == ids
    publisher.confirm_all()
    assert outbox.maintain(publisher=publisher.name)[old].fate == "dropped"


def test_nothing_goes_without_its_publisher(stack: RunningStack, outbox: OutboxSchema) -> None:
    [old] = outbox.make_past([20])
    ids = set(outbox.fill(20, 3))
    for publisher, why in (
        ("slot:gone", "the replication slot gone is gone"),
        ("pigeon", "nothing is known of a publisher 'pigeon'"),
        ("", "nothing is known of a publisher ''"),
    ):
        told = outbox.maintain(publisher=publisher)[old]
        assert (told.fate, (told.why or "").startswith(why)) == ("kept", True), told.why
    assert outbox.ids() == ids


def test_a_day_waits_for_each_of_several_slots(stack: RunningStack, outbox: OutboxSchema) -> None:
    with slot_at_will(stack) as one, slot_at_will(stack) as two:
        [old] = outbox.make_past([20])
        outbox.fill(20, 3)
        both = slot(one, two)
        assert outbox.maintain(publisher=both)[old].fate == "kept"
        confirm_all(stack, one)
        told = outbox.maintain(publisher=both)[old]
        assert f"the replication slot {two} has confirmed" in (told.why or "")
        confirm_all(stack, two)
        assert outbox.maintain(publisher=both)[old].fate == "dropped"


def test_nothing_goes_after_its_slot_was_lost(stack: RunningStack, outbox: OutboxSchema) -> None:
    superuser = stack.database_url("postgres", "postgres")
    with (
        slot_at_will(stack) as lost,
        psycopg.connect(superuser, autocommit=True) as connection,
    ):
        [old] = outbox.make_past([20])
        outbox.fill(20, 3)
        connection.execute("alter system set idle_replication_slot_timeout = '1s'")
        try:
            connection.execute("select pg_reload_conf()")

            def is_lost() -> bool:
                connection.execute("checkpoint")
                query = "select wal_status from pg_replication_slots where slot_name = %s"
                return connection.execute(query, [lost]).fetchone() == ("lost",)

            wait_until("the slot is not lost", is_lost, timeout_s=30, interval_s=0.5)
        finally:
            connection.execute("alter system reset idle_replication_slot_timeout")
            connection.execute("select pg_reload_conf()")
        told = outbox.maintain(publisher=slot(lost))[old]
        assert (told.fate, told.why) == (
            "kept",
            f"the replication slot {lost} is lost (idle_timeout)",
        )


def test_nothing_goes_while_somebody_holds_it(outbox: OutboxSchema, publisher: Publisher) -> None:
    [old] = outbox.make_past([20])
    outbox.fill(20, 3)
    with outbox.owner() as connection:
        hold(connection, outbox.schema, "a slot is being mended")
        hold(connection, outbox.schema, "a slot is being mended")
    assert two_rounds(outbox, publisher)[old].why == "held: a slot is being mended"
    with outbox.owner() as connection:
        release(connection, outbox.schema, "a slot is being mended")
    assert outbox.maintain(publisher=publisher.name)[old].fate == "dropped"


def test_a_day_is_not_over_while_a_transaction_that_wrote_to_it_is_open(
    outbox: OutboxSchema, publisher: Publisher
) -> None:
    [old] = outbox.make_past([20])
    with outbox.owner() as writer:
        writer.execute(
            f"{BACKDATED} select id, 'message', 'none', 'a', 'b', '', '', id, %s from gen_random_uuid() as id".encode(),
            [day_before(20)],
        )
        told = two_rounds(outbox, publisher)[old]
        assert told.why == "a transaction that may write to it is still open"
        with outbox.owner() as connection:
            query = "select count(*) from outbox_day_end where name = %s"
            assert connection.execute(query, [old]).fetchone() == (0,)
    assert two_rounds(outbox, publisher)[old].fate == "dropped"


def test_a_drop_gives_up_rather_than_hold_up_the_service(
    outbox: OutboxSchema, publisher: Publisher
) -> None:
    [old] = outbox.make_past([20])
    outbox.fill(20, 3)
    with outbox.connect() as reader:
        reader.execute("select count(*) from outbox")  # holds locks until its transaction ends
        told = two_rounds(outbox, publisher)[old]
        assert told.why == "a transaction has read or written messages and is still open"
        with outbox.connect() as connection:
            send(connection)
    assert outbox.maintain(publisher=publisher.name)[old].fate == "dropped"


def test_inserting_goes_on_when_nobody_has_made_days_ahead(outbox: OutboxSchema) -> None:
    with outbox.owner() as connection:
        for name in outbox.partitions():
            if name != "outbox_message_default":
                connection.execute(f"drop table {name}".encode())
        connection.execute(
            "create table outbox_message_until_20260101 partition of outbox_message"
            " for values from (minvalue) to ('2026-01-02 00:00Z')"
        )
    with outbox.connect() as connection:
        ids = {send(connection) for _ in range(5)}
    told = outbox.maintain(dry_run=True)
    found = troubles(list(told.values()), today=today().date(), kept=KEPT)
    assert "no partition for today or tomorrow" in found
    assert "messages lie in the default partition" in found
    assert outbox.maintain()["outbox_message_default"].fate == "taken over"
    assert outbox.ids() == ids
    taken_over = f"outbox_message_20260102_{today():%Y%m%d}"
    assert taken_over in outbox.partitions()
    with outbox.connect() as connection:
        ids.add(send(connection))
        query = "select tableoid::regclass::text, count(*) from outbox group by 1"
        assert connection.execute(query).fetchall() == [(taken_over, 6)]
    told = outbox.maintain(dry_run=True)
    assert "outbox_message_default" not in told
    assert told[f"outbox_message_{today() + timedelta(days=3):%Y%m%d}"].fate == "kept"


def test_what_came_between_days_is_taken_over_as_well(outbox: OutboxSchema) -> None:
    names = outbox.make_past([20, 10])
    ids = {*outbox.fill(15, 3), *outbox.fill(12, 3)}
    assert outbox.maintain()["outbox_message_default"].fate == "taken over"
    between = f"outbox_message_{day_before(19):%Y%m%d}_{day_before(11):%Y%m%d}"
    assert {*names, between} <= set(outbox.partitions())
    ids |= {*outbox.fill(40, 3)}
    assert outbox.maintain()["outbox_message_default"].fate == "taken over"
    assert f"outbox_message_until_{day_before(21):%Y%m%d}" in outbox.partitions()
    ids |= {*outbox.fill(5, 3), *outbox.fill(-30, 3)}
    told = outbox.maintain()["outbox_message_default"]
    assert (told.fate, told.why) == (
        "kept",
        "its rows lie both before and after days that have partitions",
    )
    assert outbox.ids() == ids


def test_events_are_appended_while_a_day_is_being_dropped(
    stack: RunningStack, outbox: OutboxSchema
) -> None:
    canaries = Canaries(stack, "none")
    with outbox.owner() as dropping, outbox.connect() as service:
        dropping.execute(
            "lock table only outbox_message in access exclusive mode"
        )  # as a drop does
        service.execute("set lock_timeout = '200ms'")
        service.commit()
        canaries.append(service, str(new_id()), after_version=0)
        service.commit()
        with pytest.raises(LockNotAvailable):
            send(service)


def test_each_role_may_do_its_part_and_nothing_else(
    stack: RunningStack, outbox: OutboxSchema
) -> None:
    refused = {
        "canary": (
            "select maintain_outbox('slot:x', interval '9 days', false)",
            "drop table outbox_message",
            "delete from outbox",
            "insert into outbox_hold (reason) values ('mine')",
            f"{BACKDATED} select id, 'message', 't', 'a', 'b', 'c', '', id, now() from gen_random_uuid() as id",
        ),
        "tailrace_retention": (
            "select from outbox",
            "delete from outbox",
            "drop table outbox_message",
            "select outbox_take_over()",
            "delete from outbox_day_end",
            "create table mine (i int)",
        ),
    }
    for role, statements in refused.items():
        for statement in statements:
            with outbox.connect(role) as connection, pytest.raises(InsufficientPrivilege):
                connection.execute(statement.encode())
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        memberships = connection.execute(
            "select count(*) from pg_auth_members where member = 'tailrace_retention'::regrole"
        )
        assert memberships.fetchone() == (0,)


def test_neither_publication_nor_connector_notice(stack: RunningStack) -> None:
    topic = create_topic(stack)
    with open_outbox(stack, published=True) as outbox:
        published = published_tables(stack)
        names = outbox.make_past([30, 20])
        sent = {*outbox.fill(30, 50, topic=topic), *outbox.fill(20, 50, topic=topic)}
        with outbox.owner() as connection:  # so that the default partition is taken over under way
            connection.execute(
                "create table outbox_message_until_20250101 partition of outbox_message"
                " for values from (minvalue) to ('2025-01-02 00:00Z')"
            )
            for day in range(4):
                name = f"outbox_message_{today() + timedelta(days=day):%Y%m%d}"
                connection.execute(f"drop table {name}".encode())
        stop, written = threading.Event(), []

        def write() -> None:
            with outbox.connect() as connection:
                while not stop.is_set():
                    written.append(send(connection, topic=topic))
                    connection.commit()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            # or the first round makes today before anything lies in the default partition
            wait_until("nothing was written", lambda: bool(written), timeout_s=30)
            wait_until(
                "the connector's slot has not confirmed what was noted",
                lambda: (
                    not {day.name for day in outbox.maintain().values() if day.fate == "kept"}
                    & set(names)
                ),
                timeout_s=30,
                interval_s=0.5,
            )
            wait_until(
                "the default partition is not taken over",
                lambda: outbox.maintain() is not None and taken_over(outbox),
                timeout_s=60,
                interval_s=0.5,
            )
            wait_until("nothing more was written", lambda: len(written) > 200, timeout_s=30)
        finally:
            stop.set()
            writer.join()
        seen = records_of(stack, topic, until=written[-1])
        assert set(seen) == {str(i) for i in {*sent, *written}}
        assert {len(records) for records in seen.values()} == {1}
        assert published_tables(stack) == published
    assert stack.status()["connect"].is_running
    assert "RUNNING" in stack.cli("connector", "status").stdout


def taken_over(outbox: OutboxSchema) -> bool:
    """Tell whether several days that nobody had made ahead lie in a partition of their own."""
    days = r"outbox_message_\d{8}_\d{8}"
    return any(re.fullmatch(days, name) for name in outbox.partitions())


def published_tables(stack: RunningStack) -> list[tuple[object, ...]]:
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        query = "select schemaname, tablename from pg_publication_tables where pubname = %s order by 1, 2"
        return connection.execute(query, [PUBLICATION]).fetchall()


def test_the_commands_tell_what_is_held_and_what_may_go(stack: RunningStack) -> None:
    stats = json.loads(stack.cli("outbox", "stats", "--json").stdout)
    held = {each["schema"]: each for each in stats["outboxes"]}
    assert set(held) == set(OUTBOXES)
    with psycopg.connect(stack.database_url("canary")) as connection:
        query = "select count(*) from outbox where kind = 'message'"
        assert connection.execute(query).fetchone() == (held["canary"]["messages"]["rows"],)
    assert held["canary"]["messages"]["bytes"] > 0
    assert stats["publisher"]["behind_bytes"] >= 0
    assert "kept for good" in stack.cli("outbox", "stats").stdout

    dry = json.loads(stack.cli("outbox", "prune", "--dry-run", "--keep", "2", "--json").stdout)
    assert {day["fate"] for days in dry["outboxes"].values() for day in days} <= {"kept", "dropped"}
    assert "its time is not over" in stack.cli("outbox", "prune").stdout
    assert stack.cli("outbox", "prune", "--keep", "0", check=False).returncode == 2


def test_the_doctor_says_that_no_days_were_made_ahead(stack: RunningStack) -> None:
    tomorrow = f"outbox_message_{today() + timedelta(days=1):%Y%m%d}"
    options = "-c search_path=analytics"
    with psycopg.connect(stack.database_url("tailrace_owner"), options=options) as connection:
        connection.execute(f"drop table {tomorrow}".encode())
    found = findings(stack)["outbox retention"]
    assert (found["state"], found["detail"]) == (
        "wrong",
        "analytics: no partition for today or tomorrow",
    )
    assert f"made              {tomorrow}" in stack.cli("outbox", "prune").stdout
    assert findings(stack)["outbox retention"]["state"] == "ok"


def test_the_program_makes_a_round_when_it_starts(stack: RunningStack) -> None:
    stack.stop("retention")
    last = f"outbox_message_{today() + timedelta(days=3):%Y%m%d}"
    options = "-c search_path=payments"
    with psycopg.connect(stack.database_url("tailrace_owner"), options=options) as connection:
        connection.execute(f"drop table {last}".encode())
    stack.start("retention")
    wait_until(
        "the program does not tell of what it has made",
        lambda: f"outbox=payments name={last} fate=made" in stack.log("retention"),
        timeout_s=20,
    )
