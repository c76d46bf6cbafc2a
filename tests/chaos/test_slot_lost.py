"""The replication slot dropped, invalidated, or moved, while a service writes: a recovery loses nothing."""

import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cdc import connector
from cdc.ids import new_id
from infra.capture import slot
from infra.local.probe import wait_until
from infra.settings import REPOSITORY
from tests import slots
from tests.again import show
from tests.canaries import Canaries
from tests.doctor import findings
from tests.kafka import ends_of, records_of
from tests.stack import RunningStack
from tests.workers.trial import Trial, open_trial
from tests.writer import Writer

STEPS = (
    "the connector is stopped",
    "a new slot begins",
    "rows were published again",
    "is in its place",
)
"""What a recovery says after each of its steps."""


@pytest.fixture
def trial(stack: RunningStack, tmp_path: Path) -> Iterator[Trial]:
    """A consumer at work; the slot is whole again afterwards."""
    with open_trial(stack, tmp_path, partitions=3) as trial:
        trial.fleet.start()
        yield trial
    slots.mend(stack)


@pytest.fixture
def service(stack: RunningStack, trial: Trial) -> Writer:
    return Writer(stack, trial.topic)


def test_a_slot_dropped_while_events_flow(
    stack: RunningStack, trial: Trial, service: Writer
) -> None:
    with service.at_work():
        trial.wait_more_effects(20)
        slots.drop(stack)
        wait_for_rows(service, 50)
        lost = slots.verify(stack, trial.topic)["counts"]["missing"]
        show(lost, "nothing was lost")
        assert findings(stack)["replication slot"]["state"] == "wrong"
        recovered = slots.recover(stack)
        assert recovered["ailment"] == "missing"
        assert rows_for(recovered, trial.topic) >= lost
        trial.wait_more_effects(20)
    assert_nothing_lost(stack, trial, service)


def test_a_slot_that_postgres_has_given_up(
    stack: RunningStack, trial: Trial, service: Writer
) -> None:
    with slots.limited(stack, "32MB"), service.at_work():
        trial.wait_more_effects(20)
        connector.stop(stack.settings.connect_url, connector.NAME)
        wait_for_rows(service, 20)
        slots.overrun(stack, megabytes=64)
        wait_for_rows(service, 20)
        found = findings(stack)["replication slot"]
        assert found["state"] == "wrong"
        assert "given up" in found["detail"]
        refused = stack.cli("connector", "apply", check=False)
        assert refused.returncode == 1
        assert "tailrace connector recover" in refused.stderr
        recovered = slots.recover(stack)
    assert recovered["ailment"] == "lost"
    assert rows_for(recovered, trial.topic) >= 40
    assert_nothing_lost(stack, trial, service)


def test_a_slot_moved_past_rows_that_were_not_read(stack: RunningStack, trial: Trial) -> None:
    lost = move_past_rows(stack, trial)
    refused = stack.cli("connector", "apply", check=False)
    assert refused.returncode == 1
    assert "ahead of the connector" in refused.stderr
    report = slots.verify(stack, trial.topic)
    assert {each["id"] for each in report["named"]["missing"]} == lost
    recovered = slots.recover(stack)
    assert recovered["ailment"] == "ahead"
    assert rows_for(recovered, trial.topic) == len(lost)
    trial.wait_effects(len(lost))
    assert slots.verify(stack, trial.topic, "--consumer", trial.consumer)["ok"]


def test_rows_that_a_moved_slot_has_lost_already(stack: RunningStack, trial: Trial) -> None:
    lost = move_past_rows(stack, trial)
    # past our own check, and past Debezium's, which compares the position with the slot's restart_lsn: that stays
    # behind or moves along, as it happens
    connector.forget_position(stack.settings.connect_url, connector.NAME)
    connector.apply(stack.settings.connect_url, connector.NAME, config_of(stack))
    connector.wait_until_running(stack.settings.connect_url, connector.NAME, 60)
    wait_until(
        "the slot stands still after the connector's return",
        lambda: not slots.verify(stack, trial.topic)["counts"]["pending"],
        timeout_s=120,
    )
    report = slots.verify(stack, trial.topic)
    assert {each["id"] for each in report["named"].get("missing", [])} == lost, report
    assert slots.recover(stack)["ailment"] is None, "slot and connector fit together by now"
    assert rows_for(slots.recover(stack, "--force"), trial.topic) == len(lost)
    assert slots.verify(stack, trial.topic)["ok"]


def test_a_recovery_ended_at_each_of_its_steps(
    stack: RunningStack, trial: Trial, service: Writer
) -> None:
    with service.at_work():
        trial.wait_more_effects(20)
        slots.drop(stack)
        for step in STEPS:
            wait_for_rows(service, 20)
            recover_until(stack, step)
        slots.recover(stack)
        trial.wait_more_effects(20)
    assert_nothing_lost(stack, trial, service)


def test_a_whole_slot_is_left_alone(stack: RunningStack) -> None:
    before = slots.as_superuser(
        stack, "select catalog_xmin is not null, failover from pg_replication_slots"
    )
    assert slots.recover(stack) | {"seconds": 0} == {
        "ailment": None,
        "told": f"the slot {slots.SLOT} and the connector fit together",
        "done": False,
        "rows": 0,
        "published": [],
        "too_old": 0,
        "without_topic": {},
        "too_large": [],
        "seconds": 0,
        "running": True,
    }
    assert before == slots.as_superuser(
        stack, "select catalog_xmin is not null, failover from pg_replication_slots"
    )


def test_the_slot_moves_while_only_foreign_tables_are_written(stack: RunningStack) -> None:
    [[begin]] = slots.as_superuser(stack, "select pg_current_wal_lsn()")
    slots.as_superuser(stack, "create table public.foreign_table (text text)")
    try:
        slots.as_superuser(
            stack,
            "insert into public.foreign_table select repeat(i::text, 100) from generate_series(1, 100000) as i",
        )
    finally:
        slots.as_superuser(stack, "drop table public.foreign_table")
    [[written]] = slots.as_superuser(
        stack, "select pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", begin
    )
    assert written > 2**25, "too little was written to hold anything back"
    # Postgres notes every 15 s by itself from where on a slot can be read
    slots.as_superuser(stack, "select pg_log_standby_snapshot()")

    def moved() -> bool:
        [[restart, confirmed]] = slots.as_superuser(
            stack,
            "select pg_wal_lsn_diff(restart_lsn, %s), pg_wal_lsn_diff(confirmed_flush_lsn, %s)"
            " from pg_replication_slots where slot_name = %s",
            *(begin, begin, slots.SLOT),
        )
        return bool(confirmed >= written and restart > 0)

    wait_until("the slot stands still", moved, timeout_s=60, interval_s=0.5)


def move_past_rows(stack: RunningStack, trial: Trial) -> set[str]:
    """Move the slot past rows of the trial's topic while the connector is stopped, and return their ids."""
    connector.stop(stack.settings.connect_url, connector.NAME)
    canaries = Canaries(stack, trial.topic)
    with canaries.connect() as connection:
        ids = canaries.append(connection, str(new_id()), after_version=0, events=5)
    slots.move_to_end(stack)
    assert not any(ends_of(stack, trial.topic).values())
    return set(map(str, ids))


def config_of(stack: RunningStack) -> dict[str, str]:
    config = connector.show(stack.settings.connect_url, connector.NAME)
    assert config is not None
    return config


def wait_for_rows(service: Writer, number: int) -> None:
    """Wait until the service has written so many more."""
    seen = sum(map(len, service.written().values()))
    wait_until(
        "the service does not write",
        lambda: sum(map(len, service.written().values())) >= seen + number,
        timeout_s=30,
    )


def rows_for(recovered: dict[str, object], topic: str) -> int:
    """Return how many rows were published again to a topic."""
    published = recovered["published"]
    assert isinstance(published, list)
    return sum(each["rows"] for each in published if each["topic"] == topic)


def recover_until(stack: RunningStack, step: str) -> None:
    """Begin a recovery, and kill it once it has told of a step."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "infra.cli", "connector", "recover", "--yes"],
        cwd=REPOSITORY,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        seen = next((line for line in process.stdout if step in line), None)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        watchdog.cancel()
        _, errors = process.communicate()
    assert seen is not None, f"the recovery did not come to {step!r}: {errors}"
    show(process.returncode == -signal.SIGKILL, "it was over before it could be killed")


def assert_nothing_lost(stack: RunningStack, trial: Trial, service: Writer) -> None:
    """Compare outbox, topic and effects: each committed event once, versions of a key in turn."""
    written = service.written()
    assert not service.failures
    trial.wait_effects(sum(map(len, written.values())), timeout_s=120)
    effects: dict[str, list[UUID]] = defaultdict(list)
    for entry in trial.entries():
        effects[entry.key].append(entry.message_id)
    assert effects == written
    assert set(records_of(stack, trial.topic)) == {
        str(each) for ids in written.values() for each in ids
    }
    report = slots.verify(stack, trial.topic, "--consumer", trial.consumer)
    assert report["ok"], report
    [consumer] = report["consumers"]
    assert consumer["taken"] == report["rows"] == sum(map(len, written.values()))
    assert trial.parked() == []
    held = slot(stack.deployment.shards[0])
    assert held is not None
    assert held.failover, "standbys would not keep the new slot"
