"""A worker that was killed is back soon, alone or together with the broker, and says how it is while Kafka is away."""

import re
from pathlib import Path

from infra.local.probe import wait_until
from tests.stack import RunningStack, own_settings
from tests.workers.chance import tell
from tests.workers.trial import open_trial

LONG_SESSION_S = 80
REMOVED = "removed from the group what an ended process has left"
OUTLIVED = "removed from the group whose process has ended"
ERROR_LINE = re.compile(r"level=(?:error|warning) ")
MOST_LINES = 60
"""Warnings and errors of a worker in an outage: without leaving repetitions out it is ten a second."""


def test_a_killed_worker_does_not_wait_for_its_own_session_to_run_out(
    stack: RunningStack, tmp_path: Path
) -> None:
    told = {
        "TAILRACE_PORT": str(own_settings(tmp_path).port_of("orders")),
        "FAUST_BROKER_SESSION_TIMEOUT": str(LONG_SESSION_S),
    }
    with open_trial(stack, tmp_path, partitions=2, keys=4) as trial:
        [worker] = trial.fleet.start(**told)
        trial.load.send(10)
        trial.wait_effects(10)
        second = trial.fleet.launch(**told)
        assert second.wait(30) == 1
        assert "a worker may run there already" in second.log()

        worker.kill()
        assert trial.fleet.group().members, "the broker has noticed by itself"
        trial.load.send(10)
        trial.fleet.replace(worker)
        seconds = trial.wait_effects(20, timeout_s=LONG_SESSION_S / 2)
        tell(f"effects flowed {seconds:.1f} s after the kill")
        assert REMOVED in trial.fleet.logs()
        trial.assert_each_once_in_order()


def test_a_worker_that_is_killed_for_good_is_missed_by_its_peer_before_its_session_runs_out(
    stack: RunningStack, tmp_path: Path
) -> None:
    settings = own_settings(tmp_path)
    session = {"FAUST_BROKER_SESSION_TIMEOUT": str(LONG_SESSION_S)}
    with open_trial(stack, tmp_path, partitions=4, keys=8) as trial:
        survivor, lost = (
            trial.fleet.start(TAILRACE_PORT=str(settings.port_of(name)), **session)[0]
            for name in ("orders", "payments-worker")
        )
        with trial.load.flowing(per_s=50):
            trial.wait_more_effects(20)
            assert lost.partitions(), "there was nothing to be taken over"
            trial.fleet.workers.remove(lost)
            lost.kill()
            seconds = trial.fleet.wait_joined()
        tell(f"its partitions were taken over {seconds:.1f} s after the kill")
        assert seconds < LONG_SESSION_S / 2
        assert OUTLIVED in survivor.log()
        trial.wait_at_end()
        trial.assert_each_once_in_order()


def test_a_broker_and_a_worker_that_are_killed_at_once_go_on_together(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trial(stack, tmp_path, partitions=2, keys=4) as trial:
        killed, survivor = trial.fleet.start(2)
        trial.load.send(10)
        trial.wait_effects(10)
        killed.kill()
        stack.stop("kafka")
        wait_until(
            "it does not say that Kafka is away",
            lambda: (survivor.health() or {}).get("lag", 0) is None,
            timeout_s=60,
        )
        wait_until("it is still ready", lambda: not survivor.is_ready(), timeout_s=60)
        # a worker that starts waits for Kafka for a while, and then gives up
        successor = trial.fleet.replace(killed)
        stack.start("kafka")
        trial.load.send(10)
        tell(f"effects flowed {trial.wait_effects(20):.1f} s after the broker was back")
        trial.fleet.wait_joined()
        trial.assert_each_once_in_order()
        lines = len(ERROR_LINE.findall(survivor.log()))
        assert lines <= MOST_LINES, f"{lines} lines of warnings and errors"
        assert successor.is_ready()
