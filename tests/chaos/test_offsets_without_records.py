"""Offsets that hold no record: aborted and unfinished transactions, their marks, and what compaction took away."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from cdc.ids import new_id
from infra.local.probe import wait_until
from tests.kafka import ends_of, records_of
from tests.produce import NewRecord, Sender
from tests.stack import RunningStack
from tests.workers.chance import tell
from tests.workers.process import WorkerProcess
from tests.workers.trial import Trial, open_trial

STALL_S = 4
SKIPPED_S = 10.0
COMPACTED = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.01",
    "segment.ms": "100",
    "max.compaction.lag.ms": "100",
}


def test_transactions_leave_no_effect_when_aborted_and_no_lag_at_all(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path, partitions=2, keys=10) as trial:
        [worker] = trial.fleet.start(TAILRACE_STALL_S=str(STALL_S))
        sender = Sender(stack, **{"transactional.id": str(new_id())})
        sender.producer.init_transactions()
        committed, aborted = trial.load.new(40), trial.load.new(40)
        send_in_transaction(trial, sender, committed, commit=True)
        send_in_transaction(trial, sender, aborted, commit=False)
        seconds = trial.wait_at_end(timeout_s=SKIPPED_S)
        tell(f"at the end {seconds:.1f} s after an aborted transaction")
        written = len(committed) + len(aborted)
        assert sum(ends_of(stack, trial.topic).values()) > written, "there are no marks"
        wait_until("there still is a lag", lambda: lag(worker) == 0, timeout_s=SKIPPED_S)

        # nothing behind an unfinished transaction is to be read, and nobody stands still because of it
        unfinished, behind = trial.load.new(10), trial.load.new(10)
        sender.producer.begin_transaction()
        sender.send(trial.topic, unfinished)
        trial.load.send(behind)
        ended = time.monotonic() + STALL_S + 2
        trial.fleet.wait_until("time stands still", lambda: time.monotonic() > ended)
        assert trial.effects() == len(committed)
        sender.producer.commit_transaction()
        trial.load.sent[:] = [*committed, *unfinished, *behind]
        trial.wait_at_end()
        trial.assert_each_once_in_order()
        assert not trial.fleet.stalls


def send_in_transaction(
    trial: Trial, sender: Sender, records: Sequence[NewRecord], *, commit: bool
) -> None:
    """Send records in a transaction, and end it."""
    sender.producer.begin_transaction()
    sender.send(trial.topic, records)
    if commit:
        sender.producer.commit_transaction()
    else:
        sender.producer.abort_transaction()


def test_compaction_leaves_gaps_that_nobody_waits_in(stack: RunningStack, tmp_path: Path) -> None:
    with open_trial(stack, tmp_path, keys=5, config=COMPACTED) as trial, eager_cleaner(stack):
        trial.load.send(100)

        def left() -> dict[str, list[int]]:
            trial.load.send(1)  # only what is not written to any more is compacted
            seen = records_of(stack, trial.topic)
            return {message_id: [r.offset for r in records] for message_id, records in seen.items()}

        wait_until("nothing was compacted", lambda: len(left()) < 50, timeout_s=60, interval_s=1)
        [worker] = trial.fleet.start(TAILRACE_LEDGER_WINDOW_H="0")
        trial.wait_at_end(timeout_s=SKIPPED_S)
        wait_until("there still is a lag", lambda: lag(worker) == 0, timeout_s=SKIPPED_S)
        trial.load.send(20)
        trial.wait_at_end(timeout_s=SKIPPED_S)
        offsets = [entry.offset for entry in trial.entries()]
        gaps = offsets[-1] + 1 - len(offsets)
        tell(f"{gaps} of {offsets[-1] + 1} offsets held no record")
        assert gaps > 50
        assert len({entry.message_id for entry in trial.entries()}) == len(offsets)
        assert offsets == sorted(offsets)


@contextmanager
def eager_cleaner(stack: RunningStack) -> Iterator[None]:
    """Have the broker look for something to compact all the time, instead of every 15 seconds."""
    alter_cleaner(stack, AlterConfigOpType.SET)
    try:
        yield
    finally:
        alter_cleaner(stack, AlterConfigOpType.DELETE)


def alter_cleaner(stack: RunningStack, operation: AlterConfigOpType) -> None:
    """Set or unset how long the broker's cleaner sleeps."""
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap})
    entry = ConfigEntry("log.cleaner.backoff.ms", "100", incremental_operation=operation)
    broker = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[entry])
    [altered] = admin.incremental_alter_configs([broker]).values()
    altered.result()


def lag(worker: WorkerProcess) -> int | None:
    """Return how many messages the worker says that it is behind, None when it does not say."""
    health = worker.health()
    return None if health is None or health["lag"] is None else int(health["lag"])
