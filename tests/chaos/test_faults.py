"""Parts killed, frozen and restarted while orders flow: a short run of what `make chaos` does for longer."""

import json
import os
import signal
from contextlib import suppress

import psutil
import pytest

from tests.again import show
from tests.faults.load import unanswered
from tests.faults.plan import at_risk, plan
from tests.faults.run import conduct
from tests.stack import RunningStack
from tests.workers.chance import make_chance, tell

FAULTS = 6
ORDERS_PER_S = 10


@pytest.mark.alone
def test_faults_in_any_part_lose_repeat_and_reorder_nothing(stack: RunningStack) -> None:
    seed = make_chance().randrange(2**32)
    steps = plan(seed, FAULTS, at_risk(stack.settings.publisher))
    run = conduct(stack, steps, per_s=ORDERS_PER_S, seed=seed, say=tell)
    tell(
        f"{len(run.load.sent)} orders, {run.load.replayed} of them answered only when sent again, "
        f"{run.account.copies} records delivered more than once"
    )
    assert list(run.verdict.sentences()) == []
    assert unanswered(run.load.sent) == 0
    show(run.account.statuses, "no order was placed")
    assert [str(recovery.step) for recovery in run.recoveries] == [str(step) for step in steps]
    assert run.standstills == []


def test_a_frozen_part_is_named_with_the_command_that_mends_it(stack: RunningStack) -> None:
    pid = stack.kill("storefront", signal.SIGSTOP)
    try:
        found = stack.cli("doctor", "--json", check=False)
        assert found.returncode == 1
        [finding] = [each for each in json.loads(found.stdout) if each["name"] == "storefront"]
        assert finding["detail"].startswith("is frozen")
        assert "`tailrace restart storefront`" in finding["remedy"]
        stack.restart("storefront")
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    assert stack.status()["storefront"].is_running
    assert not psutil.pid_exists(pid)
