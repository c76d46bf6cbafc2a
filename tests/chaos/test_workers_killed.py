"""Workers killed again and again under load: every event takes effect, none twice, those of a key in their order."""

import os
import random
from pathlib import Path

from tests.again import show
from tests.stack import RunningStack
from tests.workers.chance import make_chance, tell
from tests.workers.trial import Trial, open_trial

EVENTS = int(os.environ.get("TAILRACE_CHAOS_EVENTS", "8000"))
KEYS = 500
PARTITIONS = 6
KILLS = max(4, EVENTS // 5000)
SECONDS_PER_KILL = 12
"""The broker takes six to notice that a member is gone; then the group goes on. What is left is sent at the end."""
AGAIN = 5
"""Events of each lot that are sent twice."""


def test_killing_workers_loses_nothing_and_repeats_no_effect(
    stack: RunningStack, tmp_path: Path
) -> None:
    chance = make_chance()
    with open_trial(stack, tmp_path, partitions=PARTITIONS, keys=KEYS) as trial:
        # handlers that take their time: a transaction is open long enough to be seen and broken off
        slowly_in_bulk = {"TAILRACE_LEDGER_IN_BULK": "true", "TAILRACE_LEDGER_DELAY_S": "0.2"}
        trial.fleet.start(2, **slowly_in_bulk)
        trial.fleet.start(1)
        killed = 0
        rate = EVENTS // KILLS // SECONDS_PER_KILL
        with trial.load.flowing(per_s=rate, total=EVENTS, again=AGAIN):
            killed += kill_all_in_a_transaction(trial)
            for _ in range(KILLS - 1):
                trial.wait_more_effects(chance.randrange(1, 1000))
                killed += kill_some(trial, chance)
        seconds = trial.wait_at_end(timeout_s=60 + EVENTS / 500)
        trial.assert_each_once_in_order()

        duplicates, repeated = trial.duplicates(), trial.calls().total() - EVENTS
        tell(
            f"{EVENTS} events, {killed} workers killed, {duplicates} duplicates delivered, "
            f"{repeated} calls repeated, caught up in {seconds:.1f} s"
        )
        assert duplicates == trial.load.repeated
        show(duplicates, "nothing was delivered twice")
        show(repeated, "no call was broken off")


def kill_all_in_a_transaction(trial: Trial) -> int:
    """Kill all workers while a handler's effects are not committed, start others, and return how many were killed."""
    killed, broken_off = 0, False
    while not broken_off:
        trial.fleet.wait_until("no transaction was seen open", lambda: bool(trial.uncommitted()))
        victims = list(trial.fleet.workers)
        for worker in victims:
            worker.kill()
        broken_off = bool(trial.uncommitted())  # or the commit was faster than the kill
        for worker in victims:
            trial.fleet.replace(worker)
        killed += len(victims)
    return killed


def kill_some(trial: Trial, chance: random.Random) -> int:
    """Kill a worker or two at once, start others in their place, and return how many."""
    victims = chance.sample(trial.fleet.workers, chance.choice([1, 1, 2]))
    for worker in victims:
        worker.kill()
        trial.fleet.replace(worker)
    return len(victims)
