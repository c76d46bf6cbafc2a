"""A worker that stands still ends and is started again; one that waits for somebody else is left alone."""

import time
from pathlib import Path

from tests.kafka import ends_of
from tests.stack import RunningStack
from tests.workers.chance import tell
from tests.workers.ledger import Kind, Trouble, troubles
from tests.workers.trial import open_trial

STALL_S = 8
"""More than a machine that is busy with other tests takes for anything that a worker does."""
ENDING_S = 60
LOOKED_ON_S = 6
PATIENT_STALL_S = 12
"""Longer than the five seconds in which the pool gives up and the five after which it is asked again."""
REQUEST_TIMEOUT_S = 7  # more than a session's six seconds; Faust allows no less


def test_a_handler_that_blocks_for_good_costs_no_more_than_a_restart(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path, keys=3) as trial:
        earlier, stuck, *later = trial.load.new(30)
        stuck_once = troubles({stuck.message_id: Trouble(Kind.BLOCK, times=1)})
        [worker] = trial.fleet.start(**stuck_once, TAILRACE_STALL_S=str(STALL_S))
        trial.load.send([earlier])
        trial.wait_effects(1)
        trial.load.send([stuck, *later])
        trial.wait_called(stuck.message_id)
        seconds = trial.fleet.wait_until(
            "it still stands still",
            lambda: bool(trial.fleet.stalls),
            timeout_s=STALL_S + ENDING_S,
        )
        tell(f"ended after {seconds:.1f} s")
        assert trial.fleet.stalls == [worker]
        assert "stands still at 1" in worker.log()
        trial.wait_at_end()
        trial.assert_each_once_in_order()
        assert trial.calls()[stuck.message_id] == 2


def test_a_message_whose_handler_awaits_for_good_is_parked(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path, keys=3) as trial:
        earlier, stuck, *later = trial.load.new(30)
        stuck_always = troubles({stuck.message_id: Trouble(Kind.HANG)})
        trial.fleet.start(**stuck_always, TAILRACE_STALL_S=str(STALL_S))
        trial.load.send([earlier, stuck, *later])
        trial.fleet.wait_until(
            "it is not parked",
            lambda: bool(trial.parked()) and trial.positions() == ends_of(stack, trial.topic),
            timeout_s=2 * STALL_S + ENDING_S,
        )
        first, *behind = trial.parked()
        assert "the handler did not return within" in first["error_text"]
        assert trial.effects() == 30 - 1 - len(behind)
        assert not trial.fleet.stalls, "one message ended the process"


def test_a_worker_waits_for_postgres_as_long_as_it_takes(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path, partitions=4, keys=40) as trial:
        survivor, other = trial.fleet.start(
            2,
            TAILRACE_STALL_S=str(PATIENT_STALL_S),
            FAUST_BROKER_REQUEST_TIMEOUT=str(REQUEST_TIMEOUT_S),
        )
        trial.load.send(100)
        trial.wait_at_end()
        stack.stop("postgres")
        trial.load.send(100)
        trial.fleet.wait_until(
            "it does not say what it waits for",
            lambda: any(held["waiting_for"] for held in survivor.partitions().values()),
        )
        # half of the partitions change hands now, and nobody can say where to begin in them
        other.kill()
        trial.fleet.workers.remove(other)
        trial.fleet.wait_until(
            "the dead worker is still a member", lambda: len(trial.fleet.group().members) == 1
        )
        # what it does not hold would end it after so long as well, once it was not seen to try for as long
        ended = time.monotonic() + 2 * PATIENT_STALL_S + LOOKED_ON_S
        trial.fleet.wait_until("time stands still", lambda: time.monotonic() > ended)
        assert not trial.fleet.stalls, "waiting was taken for standing still"
        assert not survivor.is_ready()
        stack.start("postgres")
        tell(f"caught up {trial.wait_at_end():.1f} s after Postgres was back")
        trial.assert_each_once_in_order()
        assert len(survivor.partitions()) == 4
        assert not trial.fleet.stalls


def test_a_worker_that_is_too_busy_to_poll_is_not_taken_for_dead(
    stack: RunningStack, tmp_path: Path
) -> None:
    """Kafka's client leaves the group when nothing is polled for long, unless it is told not to mind, as workers do."""
    with open_trial(stack, tmp_path) as trial:
        held, *others = trial.load.new(30)
        held_back = troubles({held.message_id: Trouble(Kind.HOLD)})
        minding = trial.fleet.launch("tests.workers.minding", **held_back)
        trial.fleet.wait_until("it has not joined", lambda: len(trial.fleet.group().members) == 1)
        trial.load.send([held])
        trial.wait_called(held.message_id)
        trial.load.send(others)
        seconds = trial.fleet.wait_until(
            "it is still a member", lambda: not trial.fleet.group().members, timeout_s=30
        )
        tell(f"left its group after {seconds:.1f} s")
        minding.kill()
        [worker] = trial.fleet.start(**held_back)
        generation = trial.fleet.generation()
        ended = time.monotonic() + seconds + LOOKED_ON_S
        trial.fleet.wait_until("time stands still", lambda: time.monotonic() > ended)
        assert len(trial.fleet.group().members) == 1
        trial.release()
        trial.wait_at_end()
        trial.assert_each_once_in_order()
        assert trial.fleet.generation() == generation
        assert worker.is_ready()
