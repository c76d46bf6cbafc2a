"""A definition is checked when it is built, and its shape is what running sagas rely on."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from consumers.sagas.definition import NOTHING_TO_UNDO, Ask, Parallel, Pivot, Saga, Step
from schemas.messages.sagas import DeadlinePassed
from tests import sagas
from tests.sagas import State, trial

ASK = Ask(sagas.authorise, ok={sagas.Authorised: sagas.seen}, within_s=30)
VOID = Ask(sagas.void, ok=sagas.Voided, within_s=30)


def unannotated(state: State) -> Any:
    return state


def placed(state: State) -> sagas.Placed:
    return sagas.Placed(item_id=state.item_id)


@dataclass
class Changeable:
    item_id: str


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": 0}, "needs a name, and a version"),
        ({"state": Changeable}, "Changeable is no frozen dataclass"),
        ({"starts": {}}, "no message starts it"),
        ({"steps": []}, "has no steps"),
        ({"steps": [Parallel()]}, "a group of none"),
        ({"steps": [Step("a", do=ASK, undo=VOID), Step("a", undo=VOID)]}, "two of its steps"),
        ({"steps": [Pivot(Step("a", do=ASK)), Pivot(Step("b", do=ASK))]}, "more than one pivot"),
        ({"steps": [Step("a", do=ASK)]}, "a comes before any pivot and has no undo"),
        ({"steps": [Step("a", undo=NOTHING_TO_UNDO)]}, "a has nothing to do, and nothing to undo"),
        ({"steps": [Pivot(Step("a", do=ASK, undo=VOID))]}, "a is the pivot or comes after it"),
        ({"steps": [Pivot(Step("a", do=ASK)), Step("b", undo=VOID)]}, "b is the pivot or comes"),
        ({"replies_to": "trial.commands"}, "trial.commands is no topic of replies"),
        ({"replies_to": "fulfilment.replies"}, "does not carry trial.Rejected"),
        ({"cancelled_by": sagas.Authorised}, "is on no topic with what starts it"),
    ],
)
def test_what_could_not_run_to_an_end_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=rf"saga trial: .*{problem}"):
        trial(**changes)


@pytest.mark.parametrize(
    ("ask", "problem"),
    [
        (Ask(unannotated, ok=sagas.Authorised, within_s=1), "must be annotated with the class"),
        (Ask(placed, ok=sagas.Authorised, within_s=1), "which is on trial.events: that has events"),
        (Ask(sagas.authorise, ok=sagas.Authorised, within_s=0), "gives no time"),
        (Ask(sagas.authorise, ok={}, within_s=1), "has no reply that says"),
        (Ask(sagas.authorise, ok=sagas.Placed, within_s=1), "does not carry trial.Placed"),
        (
            Ask(sagas.authorise, ok=sagas.Declined, refused=sagas.Declined, within_s=1),
            "yes and no",
        ),
    ],
)
def test_what_is_asked_is_checked_too(ask: Ask[State], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        trial(steps=[Step("a", do=ask, undo=VOID)])


def test_the_messages_that_it_takes_and_sends_follow_from_the_steps() -> None:
    saga = trial()
    assert {message.NAME for message in saga.sends} == {
        message.NAME for message in (*sagas.COMMANDS, DeadlinePassed)
    }
    assert {message.NAME for message in saga.takes} == {
        message.NAME for message in (*sagas.EVENTS, *sagas.REPLIES, DeadlinePassed)
    }


def test_the_hash_is_that_of_the_shape_and_deadlines_are_no_part_of_it() -> None:
    first = Step("a", do=ASK, undo=VOID)
    slower = Step("a", do=Ask(sagas.authorise, ok=sagas.Authorised, within_s=60), undo=VOID)
    assert hash_of(first) == hash_of(slower)
    others: list[list[Any]] = [
        [Step("b", do=ASK, undo=VOID)],
        [Step("a", do=ASK, undo=NOTHING_TO_UNDO)],
        [first, Step("b", undo=VOID)],
        [Step("b", undo=VOID), first],
        [Parallel(first, Step("b", undo=VOID))],
        [Pivot(Step("a", do=ASK))],
        [replace(first, when=sagas.is_not_digital)],
    ]
    assert len({hash_of(first), *(hash_of(*steps) for steps in others)}) == len(others) + 1


def hash_of(*steps: Any) -> str:
    saga: Saga[State] = trial(steps=steps)
    return saga.shape_hash
