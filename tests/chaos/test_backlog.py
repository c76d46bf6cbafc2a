"""A large backlog in one partition: a message in another one need not wait for its end."""

from pathlib import Path

from tests.again import show
from tests.stack import RunningStack
from tests.workers.trial import open_trial

BACKLOG = 20_000
BUSY, FRESH = 0, 1


def test_a_backlog_does_not_starve_a_fresh_partition(stack: RunningStack, tmp_path: Path) -> None:
    with open_trial(stack, tmp_path, partitions=2, keys=100) as trial:
        trial.load.send(BACKLOG, partition=BUSY)
        # each call takes a tenth of a second, so that the backlog takes seconds
        trial.fleet.start(1, TAILRACE_LEDGER_IN_BULK="true", TAILRACE_LEDGER_DELAY_S="0.1")
        trial.wait_effects(1)
        trial.load.send([trial.load.make.payment("fresh") for _ in range(10)], partition=FRESH)
        trial.fleet.wait_until(
            "the fresh messages do not take effect",
            lambda: trial.positions().get(FRESH) == 10,
        )
        show(trial.positions()[BUSY] < BACKLOG, "there was no backlog any more")
        trial.wait_at_end()
        trial.assert_each_once_in_order()
