"""Running a saga that has ended once more, from a step on."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from consumers.sagas.definition import NOTHING_TO_UNDO, Saga
from consumers.sagas.inputs import Act
from consumers.sagas.instance import SETTLED, Instance, StepRun
from consumers.sagas.run import Decision, Run

S = TypeVar("S")


def fork(
    saga: Saga[S], ended: Instance[Any], before: Saga[Any], state: S | None, act: Act, now: datetime
) -> Decision[Any]:
    """Run a saga that has ended once more, from a step on.

    What comes before the step stays done; the step, those beside it and those behind it are asked again.

    Args:
        saga: Definition to go on with.
        ended: The saga.
        before: Definition that it has run with.
        state: What was remembered when the step began; None when that is not known.
        act: What an operator wants.
    """
    why_not = next(_obstacles(saga, ended, before, act.step), "")
    if not why_not and state is None:
        why_not = f"what it remembered when {act.step} began was not kept"
    kept = {name: run for name, run in ended.steps.items() if _comes_before(saga, name, act.step)}
    instance = ended
    if not why_not:
        instance = replace(
            ended,
            version=saga.version,
            started_at=now,
            state=state,
            steps=kept,
            status="running",
            reason="",
            generations=max(run.generation for run in ended.steps.values()),
        )
    run = Run(saga, instance, now, None)
    run.forked(act, why_not)
    return run.decision()


def _comes_before(saga: Saga[Any], name: str, step: str) -> bool:
    return saga.stage_of.get(name, len(saga.stages)) < saga.stage_of.get(step, 0)


def _obstacles(
    saga: Saga[Any], ended: Instance[Any], before: Saga[Any], step: str
) -> Iterator[str]:
    """Yield why a saga cannot be run from a step on."""
    if not ended.has_ended:
        yield f"it is {ended.status}; end it first, with `tailrace saga cancel` or `tailrace saga kill`"
    if step not in saga.by_name:
        yield f"version {saga.version} of {saga.name} has no step {step}"
        return
    if step not in ended.steps:
        yield f"{step} has not begun"
    for name in saga.by_name:
        run = ended.steps.get(name)
        if _comes_before(saga, name, step) and (run is None or run.status not in SETTLED):
            how = run.status.replace("_", " ") if run else "not begun"
            yield f"{name} comes before {step} and is {how}, not done"
    stage = saga.stage_of[step]
    for pivot in (*before.stages, ())[before.pivot] if stage <= saga.pivot else ():
        run = ended.steps.get(pivot.name)
        turned = f"{pivot.name} has begun, from which on nothing is undone"
        if run and run.status in SETTLED:
            yield f"{turned}; fork from a step behind it"
        elif run and run.status != "refused" and stage < saga.pivot:
            yield f"{turned}; fork from there"
    for name, run in ended.steps.items():
        is_behind = not _comes_before(saga, name, step) and saga.stage_of.get(name) != stage
        if stage <= saga.pivot and is_behind and _stands(before, name, run):
            yield f"{name} comes behind {step} and is not undone; fork from there"


def _stands(saga: Saga[Any], name: str, run: StepRun) -> bool:
    """Return whether something was done, or may have been, that would have to be undone."""
    has_effect = run.is_open or run.status == "done"
    return has_effect and saga.by_name[name].undo is not NOTHING_TO_UNDO
