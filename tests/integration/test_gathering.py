"""A consumer that gathers: what comes soon after a fetch shares a transaction with what comes after it."""

from pathlib import Path

import pytest

from tests.again import show
from tests.stack import RunningStack
from tests.workers.trial import open_trial

PER_S, EVENTS, FEW = 8, 24, 8


@pytest.mark.parametrize("gather_s", [0.0, 2.0])
def test_events_that_come_one_by_one_share_transactions_where_they_are_gathered(
    stack: RunningStack, tmp_path: Path, gather_s: float
) -> None:
    with open_trial(stack, tmp_path, partitions=1, keys=20) as trial:
        trial.fleet.start(1, TAILRACE_LEDGER_IN_BULK="true", TAILRACE_LEDGER_GATHER_S=str(gather_s))
        trial.load.send(1)
        trial.wait_effects(1)
        with trial.load.flowing(per_s=PER_S, total=EVENTS):
            trial.wait_effects(EVENTS)
        trial.wait_at_end()
        trial.assert_each_once_in_order()
        transactions = trial.transactions()
    if gather_s:
        # they come in a dozen lots, and a fetch every other second takes what has come by then
        assert transactions <= FEW
    else:
        show(transactions > FEW, "the machine was too busy to take them one by one")
