"""Postgres and Connect killed in turn while a service writes: each committed event has one effect, come what may."""

import contextlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg

from cdc.ids import new_id
from tests.canaries import Canaries
from tests.kafka import records_of
from tests.stack import RunningStack, wait_until_running
from tests.workers.trial import Trial, open_trial

KEYS = 20
PAUSE_S = 0.01
MOST_ROUNDS = 4
VERSION = "select coalesce(max(aggregate_version), 0) from outbox where aggregate_id = %s"


class Writer:
    """A service that appends an event to one aggregate after the other, and goes on when its database is back."""

    def __init__(self, stack: RunningStack, topic: str) -> None:
        self._canaries = Canaries(stack, topic)
        self._topic = topic
        self._run = new_id().hex
        self._stopped = threading.Event()
        self.failures = 0
        """Transactions of which it is not known whether they committed."""

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Write while the block runs."""
        thread = threading.Thread(target=self._write)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def written(self) -> dict[str, list[UUID]]:
        """Return the events that were committed, of each aggregate, by version."""
        found: dict[str, list[UUID]] = defaultdict(list)
        with self._canaries.connect() as connection:
            for key, message_id in connection.execute(
                "select aggregate_id, id from outbox where topic = %s order by aggregate_version",
                [self._topic],
            ):
                found[key].append(message_id)
        return found

    def _write(self) -> None:
        number = 0
        while not self._stopped.wait(PAUSE_S):
            number += 1
            key = f"{self._run}-{number % KEYS}"
            try:
                with self._canaries.connect() as connection:
                    row = connection.execute(VERSION, [key]).fetchone()
                    self._canaries.append(connection, key, after_version=row[0] if row else 0)
            except psycopg.OperationalError:
                self.failures += 1


def test_every_committed_event_has_one_effect(stack: RunningStack, tmp_path: Path) -> None:
    with open_trial(stack, tmp_path, partitions=3) as trial:
        trial.fleet.start(2)
        writer = Writer(stack, trial.topic)
        copies = Counter[str]()
        with writer.at_work():
            for _ in range(MOST_ROUNDS):
                for part in ("connect", "postgres"):
                    wait_for_more(trial)
                    stack.kill(part)
                    wait_until_running(stack, timeout_s=120)
                copies = copies_of(stack, trial.topic)
                if writer.failures and max(copies.values()) > 1:
                    break
        assert writer.failures, "no transaction was under way when Postgres was killed"
        assert max(copies.values()) > 1, "no record was ever written twice, so nothing was shown"

        written = writer.written()
        trial.wait_effects(sum(map(len, written.values())), timeout_s=120)
        effects: dict[str, list[UUID]] = defaultdict(list)
        for entry in trial.entries():
            effects[entry.key].append(entry.message_id)
        assert effects == written
        assert trial.duplicates() >= sum(copies.values()) - len(copies) > 0
        assert trial.parked() == []


def wait_for_more(trial: Trial) -> None:
    """Wait until events come through again."""
    seen = 0
    with contextlib.suppress(psycopg.OperationalError):
        seen = trial.effects()

    def more() -> bool:
        try:
            return trial.effects() > seen + KEYS
        except psycopg.OperationalError:
            return False

    trial.fleet.wait_until("no event comes through any more", more, timeout_s=120)


def copies_of(stack: RunningStack, topic: str) -> Counter[str]:
    """Return how many records there are of each message."""
    return Counter({ce_id: len(records) for ce_id, records in records_of(stack, topic).items()})
