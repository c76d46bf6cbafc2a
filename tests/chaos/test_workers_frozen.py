"""Workers whose clock stops, and who wake up when their partitions have long been given to others."""

from pathlib import Path

from tests.produce import NewRecord
from tests.stack import RunningStack
from tests.workers.chance import make_chance, tell
from tests.workers.ledger import Kind, Trouble, troubles
from tests.workers.process import WorkerProcess
from tests.workers.trial import Trial, open_trial

EVENTS = 200
REVOKED = "Revoking previously assigned partitions frozenset({TopicPartition"
FENCE = "reading on from where the database says"
ROUNDS = 2


def test_a_frozen_worker_wakes_up_to_find_its_work_done(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path, partitions=2, keys=20) as trial:
        # half of this is how long Postgres bears a transaction that does nothing, and locks the position
        held, frozen, successor = freeze_in_transaction(trial, stall_s=14)
        trial.wait_effects(EVENTS)
        assert trial.calls()[held.message_id] == 2
        frozen.thaw()
        trial.release()
        assert who_did(trial, held) == successor.pid
        signs = [sign for sign in (FENCE, REVOKED) if sign in frozen.log()]
        assert signs, "nothing told it that the partition is not its own any more"
        tell(f"the frozen worker was told by: {signs}")


def test_a_frozen_worker_that_commits_after_all_fences_off_its_successor(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path, partitions=2, keys=20) as trial:
        held, frozen, successor = freeze_in_transaction(trial, stall_s=60)
        frozen.thaw()
        trial.release()
        assert who_did(trial, held) == frozen.pid
        assert FENCE in successor.log()


def freeze_in_transaction(
    trial: Trial, *, stall_s: int
) -> tuple[NewRecord, WorkerProcess, WorkerProcess]:
    """Freeze one of two workers in the midst of a transaction, and wait until the other has its partition.

    Returns:
        The message that its transaction is about, the worker, and the one that took over.
    """
    held, *later = trial.load.new(EVENTS)
    held_once = troubles({held.message_id: Trouble(Kind.HOLD, times=1)})
    trial.fleet.start(2, **held_once, TAILRACE_STALL_S=str(stall_s))
    [place, *_] = trial.load.send([held, *later])
    trial.wait_called(held.message_id)
    frozen, successor = by_partition(trial, place.partition)
    frozen.freeze()
    trial.fleet.wait_until(
        "the partition was not given to another worker",
        lambda: len(successor.partitions()) == 2,
    )
    return held, frozen, successor


def who_did(trial: Trial, record: NewRecord) -> int:
    """Wait until everything is done and the group has settled, and return the worker whose effect it is."""
    trial.fleet.wait_joined()
    trial.load.send(1)
    trial.wait_at_end()
    entries = trial.assert_each_once_in_order()
    return next(entry.pid for entry in entries if entry.message_id == record.message_id)


def by_partition(trial: Trial, partition: int) -> tuple[WorkerProcess, WorkerProcess]:
    """Return the worker that holds a partition, and the one that does not."""
    first, second = trial.fleet.workers
    return (first, second) if partition in first.partitions() else (second, first)


def test_freezing_workers_under_load_loses_nothing_and_repeats_no_effect(
    stack: RunningStack, tmp_path: Path
) -> None:
    chance = make_chance()
    with open_trial(stack, tmp_path, partitions=6, keys=100) as trial:
        trial.fleet.start(2, TAILRACE_STALL_S="8", TAILRACE_LEDGER_DELAY_S="0.002")
        with trial.load.flowing(per_s=300):
            for _ in range(ROUNDS):
                trial.wait_more_effects(chance.randrange(1, 600))
                frozen = chance.choice(trial.fleet.workers)
                frozen.freeze()
                trial.fleet.wait_until(
                    "the frozen worker was not left out",
                    lambda: len(trial.fleet.group().members) == 1,
                )
                trial.wait_more_effects(300)
                frozen.thaw()
                trial.fleet.wait_joined()
        trial.wait_at_end()
        entries = trial.assert_each_once_in_order()
        assert trial.duplicates() == 0
        joined, fences = trial.fleet.generation(), trial.fleet.logs().count(FENCE)
        repeated = trial.calls().total() - len(entries)
        tell(
            f"{len(entries)} events, generation {joined}, {fences} fences, {repeated} repeated calls"
        )
        assert joined > 2 * ROUNDS, "the group was not dealt out anew each time"
