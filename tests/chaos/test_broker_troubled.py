"""The broker restarted, or standing still for longer than clients bear: the workers go on by themselves."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack import RunningStack
from tests.workers.chance import tell
from tests.workers.fleet import SESSION_TIMEOUT_S
from tests.workers.trial import Trial, open_trial

RATE = 200
WORKERS = 2
RESUME_S = 30.0
UNREACHABLE = "Unable connect to node"
EXPIRED = "Heartbeat session expired"
TIMED_OUT = "Failed fetch messages from 1: [Error 7] RequestTimedOutError"


def test_restarting_and_killing_the_broker_loses_nothing_and_repeats_no_effect(
    stack: RunningStack, tmp_path: Path
) -> None:
    with at_work(stack, tmp_path) as trial:
        stack.restart("kafka")
        tell(f"effects again {wait_for_new_ones(trial):.1f} s after the broker was back")
        stack.kill("kafka")
        stack.wait_ready("kafka")
        tell(f"effects again {wait_for_new_ones(trial):.1f} s after it was killed and back")
    assert UNREACHABLE in trial.fleet.logs()


def test_a_broker_frozen_for_longer_than_a_session_is_waited_for(
    stack: RunningStack, tmp_path: Path
) -> None:
    with at_work(stack, tmp_path) as trial:
        before = trial.fleet.generation()
        with stack.frozen("kafka"):
            wait_for_standstill(trial, SESSION_TIMEOUT_S + 2)
        tell(f"effects again {wait_for_new_ones(trial):.1f} s after the broker went on")
        # its clock had stopped, so that it finds the heartbeats in its sockets before it misses them
        tell(f"{trial.fleet.generation() - before} rebalances")


def test_requests_that_time_out_do_not_end_consumption(stack: RunningStack, tmp_path: Path) -> None:
    timeout_s = SESSION_TIMEOUT_S + 1  # Faust allows no less
    impatient = {"FAUST_BROKER_REQUEST_TIMEOUT": str(timeout_s), "TAILRACE_STALL_S": "15"}
    with at_work(stack, tmp_path, **impatient) as trial:
        before = trial.fleet.generation()
        with stack.frozen("kafka"):
            trial.fleet.wait_until(
                "the workers have not given up their requests and their sessions",
                lambda: all(
                    TIMED_OUT in worker.log() and EXPIRED in worker.log()
                    for worker in trial.fleet.workers
                ),
            )
        seconds = wait_for_new_ones(trial)
        stalls = len(trial.fleet.stalls)
        how = f"{stalls} were restarted by their watchdog" if stalls else "by themselves"
        tell(f"effects again {seconds:.1f} s after the broker went on, {how}")
        tell(f"{trial.fleet.generation() - before} rebalances")


@contextmanager
def at_work(stack: RunningStack, directory: Path, **variables: str) -> Iterator[Trial]:
    """Have workers at work, and see when the block ends that nothing was lost, repeated or out of order."""
    with open_trial(stack, directory, partitions=6, keys=100) as trial:
        trial.fleet.start(WORKERS, TAILRACE_LEDGER_DELAY_S="0.002", **variables)
        with trial.load.flowing(per_s=RATE):
            trial.wait_more_effects(RATE)
            yield trial
        trial.fleet.wait_joined()
        trial.wait_at_end()
        trial.assert_each_once_in_order()


def wait_for_standstill(trial: Trial, seconds: float) -> None:
    """Wait until nothing has taken effect for some time."""
    seen, since = -1, time.monotonic()

    def stood_still() -> bool:
        nonlocal seen, since
        effects = trial.effects()
        if effects != seen:
            seen, since = effects, time.monotonic()
        return time.monotonic() - since >= seconds

    trial.fleet.wait_until("there still are effects", stood_still)


def wait_for_new_ones(trial: Trial) -> float:
    """Wait until events that are sent from now on take effect, and return the seconds that took."""
    return trial.wait_effects(len(trial.load.sent) + RATE, timeout_s=RESUME_S)
