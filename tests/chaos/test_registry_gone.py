"""The schema registry gone: who knows the schemas goes on, who meets a new one waits, and nobody skips anything."""

import time
from pathlib import Path

from infra.local.probe import wait_until
from tests.stack import RunningStack
from tests.workers.chance import tell
from tests.workers.trial import open_trial

PARTITIONS = 3
STALL_S = 8
REFUSED_S = 30.0


def test_a_new_schema_is_waited_for_in_its_partition_alone(
    stack: RunningStack, tmp_path: Path
) -> None:
    cache = tmp_path / "schemas"
    options = {"TAILRACE_SCHEMA_CACHE": str(cache), "TAILRACE_STALL_S": str(STALL_S)}
    with open_trial(stack, tmp_path, partitions=PARTITIONS, keys=PARTITIONS) as trial:

        def send_payments() -> None:
            for partition in range(PARTITIONS):
                trial.load.send(1, partition=partition)

        [worker] = trial.fleet.start(**options)
        send_payments()
        trial.wait_effects(PARTITIONS)
        stack.stop("registry")

        # who knows the schemas goes on, even when started anew
        send_payments()
        trial.wait_effects(2 * PARTITIONS)
        assert trial.fleet.stop(worker) == 0
        [worker] = trial.fleet.start(**options)
        send_payments()
        trial.wait_effects(3 * PARTITIONS)

        # who meets a new one waits, and the others go on
        trial.load.send([trial.load.make.canary()], partition=0)
        wait_until(
            "it does not say what it waits for",
            lambda: "RegistryUnavailableError" in worker.partitions()[0]["waiting_for"],
            timeout_s=10,
        )
        waiting_at = trial.positions()[0]
        for _ in range(3):
            send_payments()
        trial.wait_effects(3 * PARTITIONS + 3 * (PARTITIONS - 1))
        ended = time.monotonic() + STALL_S + 2
        trial.fleet.wait_until("time stands still", lambda: time.monotonic() > ended)
        assert trial.positions()[0] == waiting_at
        assert not trial.parked()
        assert not trial.fleet.stalls, "waiting was taken for standing still"

        refused = trial.fleet.launch(**options | {"TAILRACE_SCHEMA_CACHE": str(tmp_path / "cold")})
        assert refused.wait(REFUSED_S) == 1
        assert "cannot start: the schema registry at" in refused.log()

        stack.start("registry")
        seconds = trial.wait_at_end()
        tell(f"caught up {seconds:.1f} s after the registry was back")
        trial.assert_each_once_in_order()
        assert not trial.fleet.stalls
