"""Postgres and Connect killed in turn while a service writes: each committed event has one effect, come what may."""

import contextlib
from collections import Counter, defaultdict
from pathlib import Path
from uuid import UUID

import psycopg

from tests import writer
from tests.again import show
from tests.kafka import records_of
from tests.stack import RunningStack, wait_until_running
from tests.workers.trial import Trial, open_trial

MOST_ROUNDS = 4


def test_every_committed_event_has_one_effect(stack: RunningStack, tmp_path: Path) -> None:
    with open_trial(stack, tmp_path, partitions=3) as trial:
        trial.fleet.start(2)
        service = writer.Writer(stack, trial.topic)
        copies = Counter[str]()
        with service.at_work():
            for _ in range(MOST_ROUNDS):
                for part in ("connect", "postgres"):
                    wait_for_more(trial)
                    stack.kill(part)
                    wait_until_running(stack, timeout_s=120)
                copies = copies_of(stack, trial.topic)
                if service.failures and max(copies.values()) > 1:
                    break
        show(service.failures, "no transaction was under way when Postgres was killed")
        show(max(copies.values()) > 1, "no record was ever written twice")

        written = service.written()
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
            return trial.effects() > seen + writer.KEYS
        except psycopg.OperationalError:
            return False

    trial.fleet.wait_until("no event comes through any more", more, timeout_s=120)


def copies_of(stack: RunningStack, topic: str) -> Counter[str]:
    """Return how many records there are of each message."""
    return Counter({ce_id: len(records) for ce_id, records in records_of(stack, topic).items()})
