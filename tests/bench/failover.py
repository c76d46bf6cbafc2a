"""The benchmark `failover`: how soon effects flow again when one of several is lost for good, or the primary is."""

from collections.abc import Mapping

from infra.local.parts import KAFKA_OF_A_CLUSTER, SECOND_WORKERS, SHARED
from tests.bench import recovery
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine
from tests.bench.progress import Progress
from tests.bench.stack import own_stack
from tests.connect_workers import worker_of_the_task
from tests.faults.plan import PRIMARY, Fault, Kind, Step
from tests.stack import RunningStack

NAME = "failover"
AIMS_S: Mapping[str, float] = {"worker": 3.0, "broker": 5.0, "connect": 15.0, "promotion": 20.0}
"""Within how many seconds effects are to flow without what was lost; those of a promotion include the command."""


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a cluster of its own.

    Raises:
        StandstillError: effects did not flow again.
    """
    here, runs = machine(), list[Run]()
    with own_stack(profile="cluster", workers="shared", console="off", metrics="off") as stack:
        for number in range(1, options.times + 1):
            for what in AIMS_S:
                step = Step((Fault(Kind.LOSE, _victim(stack, what, number)),), pause_s=1.0)
                runs.append(recovery.measure(stack, what, step, number, options, progress))
    return Outcome(NAME, here, recovery.ratios(runs, lambda _, what: AIMS_S[what]), runs)


def _victim(stack: RunningStack, what: str, number: int) -> str:
    """Return which one is lost: each in its turn, and of Connect the one that works."""
    match what:
        case "worker":
            return (SHARED, SECOND_WORKERS)[number % 2]
        case "broker":
            return KAFKA_OF_A_CLUSTER[number % 3]
        case "connect":
            return worker_of_the_task(stack)
    return PRIMARY
