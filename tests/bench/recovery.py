"""The benchmark `recovery`: how soon effects flow again when a part is killed, or was frozen and goes on."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tests.bench.figures import percentile
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.faults.plan import BACKEND, Fault, Kind, Step, at_risk
from tests.faults.run import Run as Disturbed
from tests.faults.run import conduct
from tests.stack import RunningStack

NAME = "recovery"
FROZEN_S = 20.0
WORKER_AIM_S = 5.0
AIMS_S = {"connect": 8.0, "kafka": 12.0, "postgres": 10.0, "registry": 1.0}
"""Within how many seconds effects are to flow after a kill; all else, and whatever wakes up, has the time of a worker.

An order takes less than the one second of the registry with nothing wrong: nobody is to notice that it is gone.
"""

UNFELT = frozenset({"retention", "console", "metrics", BACKEND})
"""Not measured unless named: whose loss keeps no order waiting, and what is felt as the loss of Postgres is."""


class Case(NamedTuple):
    """What is done to which part."""

    kind: Kind
    part: str

    @property
    def step(self) -> Step:
        """The fault; it comes when the load has flowed for a second."""
        hold_s = FROZEN_S if self.kind is Kind.FREEZE else 0.0
        return Step((Fault(self.kind, self.part, hold_s=hold_s),), pause_s=1.0)


def aim_s(kind: Kind, part: str) -> float:
    """Return within how many seconds effects are to flow."""
    return AIMS_S.get(part, WORKER_AIM_S) if kind is Kind.KILL else WORKER_AIM_S


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        StandstillError: effects did not flow again.
    """
    here, runs = machine(), list[Run]()
    everything = at_risk(options.publisher)
    parts = options.parts or [part for part in everything if part not in UNFELT]
    cases = [Case(kind, part) for kind in (Kind.KILL, Kind.FREEZE) for part in parts]
    with own_stack(*everything, publisher=options.publisher) as stack:
        for number in range(1, options.times + 1):
            for case in cases:
                runs.append(measure(stack, case.part, case.step, number, options, progress))
    return Outcome(NAME, here, ratios(runs, aim_s), runs)


def measure(
    stack: RunningStack,
    contender: str,
    step: Step,
    number: int,
    options: Options,
    progress: Progress,
) -> Run:
    """Disturb a stack once under a load of orders, and return what was found.

    Args:
        stack: The running stack.
        contender: What is disturbed, by the name that the report has for it.
        step: The fault.
        number: Of the round.
        options: How much load.
        progress: Is told what was found.
    """
    with progress.step(f"round {number}: {step}"):
        found = conduct(
            stack,
            [step],
            per_s=options.orders_per_s,
            seed=options.seed + number,
            say=progress.now,
        )
    run = _run(contender, step.faults[0].kind, number, found)
    progress.found(summary(run.figures))
    for sentence in found.verdict.sentences():
        progress.found(sentence)
    return run


def ratios(runs: Sequence[Run], aim_of: Callable[[Kind, str], float]) -> Mapping[str, float]:
    """Return the time until effects flow in units of its aim, at the median and at most, for each part and fault."""
    found = {}
    for contender, kind in dict.fromkeys((run.contender, run.kind) for run in runs):
        alike = [run for run in runs if (run.contender, run.kind) == (contender, kind)]
        seconds = [run.figures["effects_s"] for run in alike]
        aim = aim_of(Kind(kind), contender)
        found[f"{kind}_{contender}_p50_vs_aim"] = percentile(seconds, 50) / aim
        found[f"{kind}_{contender}_max_vs_aim"] = max(seconds) / aim
    return found


def _run(contender: str, kind: Kind, number: int, found: Disturbed) -> Run:
    [recovery] = found.recoveries
    verdict = found.verdict
    figures = {
        "effects_s": recovery.flowing_s,
        "backlog_gone_s": recovery.drained_s,
        "ready_s": recovery.ready_s,
        "refused": recovery.unavailable,
        "unanswered": recovery.unanswered,
        "lost": len(verdict.lost),
        "repeated": len(verdict.repeated),
        "reordered": len(verdict.reordered),
        "contradicted": len(verdict.contradicted),
        "redelivered": found.account.copies,
    }
    events = len(found.account.statuses)
    return Run(contender=contender, kind=kind, round=number, events=events, figures=figures)
