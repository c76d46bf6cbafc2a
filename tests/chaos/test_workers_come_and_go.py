"""Workers added and ended in good order under load: nothing is lost, no handler is called twice, the order is kept."""

import random
from pathlib import Path

from infra.local.probe import wait_until
from tests.again import show
from tests.kafka import committed
from tests.stack import RunningStack
from tests.workers.chance import make_chance, tell
from tests.workers.ledger import Kind, Trouble, troubles
from tests.workers.trial import Trial, open_trial

CHANGES = 6
EVENTS_PER_S = 500
MOST_WORKERS = 4
STOP_S = 60.0
LONG_SESSION_S = 80
SLOW = "transaction taken apart"


def test_adding_and_ending_workers_loses_and_repeats_nothing(
    stack: RunningStack, tmp_path: Path
) -> None:
    chance = make_chance()
    with open_trial(stack, tmp_path, partitions=6, keys=200) as trial:
        # each is ready only if it holds some of the 6 partitions
        trial.fleet.start(MOST_WORKERS, TAILRACE_LEDGER_DELAY_S="0.002")
        with trial.load.flowing(per_s=EVENTS_PER_S):
            for _ in range(CHANGES):
                change(trial, chance)
        trial.wait_at_end()
        entries = trial.assert_each_once_in_order()
        assert trial.duplicates() == 0
        # where a machine is so busy that a second is not enough for a transaction, that is rolled back, and said
        show(
            SLOW not in trial.fleet.logs(),
            "a transaction was too slow, and its handlers called again",
        )
        assert set(trial.calls().values()) == {1}, "a handler was called again"

        joined = trial.fleet.generation()
        tell(f"{len(entries)} events, generation {joined}, {len({e.pid for e in entries})} workers")
        assert joined > CHANGES, "the group was not dealt out anew each time"


def change(trial: Trial, chance: random.Random) -> None:
    """Once the group is at work, add a worker to it or end one."""
    trial.wait_more_effects(chance.randrange(1, 2 * EVENTS_PER_S))
    workers = trial.fleet.workers
    if len(workers) > 1 and chance.random() < len(workers) / MOST_WORKERS:
        assert trial.fleet.stop(chance.choice(workers), timeout_s=STOP_S) == 0
    else:
        trial.fleet.start()


def test_a_worker_that_is_ended_finishes_its_transaction_and_leaves_the_group(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path) as trial:
        earlier, held, *later = trial.load.new(5)
        told = {"FAUST_BROKER_SESSION_TIMEOUT": str(LONG_SESSION_S)}
        told |= troubles({held.message_id: Trouble(Kind.HOLD)})
        [worker] = trial.fleet.start(**told)
        trial.load.send([earlier])
        trial.wait_effects(1)
        trial.load.send([held, *later])
        trial.wait_called(held.message_id)
        worker.ask_to_stop()
        wait_until("it still takes in more", lambda: worker.partitions() == {}, timeout_s=STOP_S)
        assert not worker.is_ready()
        assert worker.status is None
        trial.release()
        trial.fleet.workers.remove(worker)
        assert worker.wait(STOP_S) == 0

        assert trial.effects() == 5, "the transaction under way was not finished"
        assert trial.positions() == {0: committed(stack, trial.consumer, trial.topic)}
        assert trial.fleet.group().members == {}, "it did not leave the group"

        # the place in the group is free at once, not after the session's time
        successor = trial.fleet.launch(**told)
        trial.fleet.workers.append(successor)
        assert trial.fleet.wait_joined() < LONG_SESSION_S / 2
        trial.load.send(1)
        trial.wait_effects(6)
        trial.assert_each_once_in_order()
        assert trial.duplicates() == 0
        assert set(trial.calls().values()) == {1}
