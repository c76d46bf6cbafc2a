"""How a saga goes on: a pure function of its definition, how it stands, what comes and when.

It reads no clock, draws no lots and touches no database; ids of commands follow from what they are for.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from consumers.sagas.definition import Saga
from consumers.sagas.inputs import Act, Cancel, Deadline, Input, Reply, Start
from consumers.sagas.instance import Instance, StepRun
from consumers.sagas.run import Decision, Run

S = TypeVar("S")


def begin(
    saga: Saga[S], given: Start, now: datetime, cause: UUID | None = None
) -> Decision[S] | None:
    """Start a saga.

    Args:
        cause: Id of the message.

    Returns:
        What follows; None when the message is none of its business.
    """
    state = saga.starts[type(given.message)](given.message)
    if state is None:
        return None
    instance = Instance(
        saga=saga.name,
        version=saga.version,
        id=given.saga_id,
        correlation_id=given.correlation_id,
        started_at=now,
        updated_at=now,
        state=state,
    )
    run = Run(saga, instance, now, cause)
    run.note("started", type_=given.message.NAME, message_id=cause)
    run.go_on()
    return run.decision()


def advance(
    saga: Saga[S], instance: Instance[S], given: Input, now: datetime, cause: UUID | None = None
) -> Decision[S]:
    """Work out what follows from what comes.

    What comes too late changes nothing, and is noted: a reply to a step that is over, a deadline that is not the
    present one, whatever comes after the end.

    Args:
        cause: Id of the message that came; None for an operator's action.
    """
    run = Run(saga, instance, now, cause)
    match given:
        case Reply():
            run.reply(given)
        case Deadline():
            run.deadline(given)
        case Cancel():
            run.cancel(given.message)
        case Act():
            run.act(given)
    return run.decision()


def fire(
    steps: Mapping[str, StepRun], now: datetime
) -> tuple[dict[str, StepRun], list[tuple[str, int]]]:
    """Return steps without the deadlines that have passed, and those, as step and generation."""
    passed = {
        name: run for name, run in steps.items() if run.is_open and run.due and run.due <= now
    }
    left = {**steps, **{name: replace(run, due=None) for name, run in passed.items()}}
    return left, [(name, run.generation) for name, run in passed.items()]
