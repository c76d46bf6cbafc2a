"""What a saga is made of, as data: steps with what is asked, what may be answered, and how it is undone.

All that a definition could have wrong is found when it is built: an error while a saga runs would come too late.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, is_dataclass
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, get_type_hints

from cdc.due import RetryPolicy
from schemas.catalogue import catalogue
from schemas.message import Message
from schemas.messages.sagas import DeadlinePassed

S = TypeVar("S")

Answers = Mapping[type[Message], Callable[[S, Any], S]] | type[Message]
"""Classes of replies, each with `(state, reply) -> state`; a class alone leaves the state as it is."""

ONCE = RetryPolicy(attempts=1)
FOR_LONG = RetryPolicy()


class _Nothing:
    """Says that there is nothing to undo about a step."""


NOTHING_TO_UNDO: Final = _Nothing()


class Ask(Generic[S]):
    """A command, and what may be answered.

    Args:
        build: `state -> command`; that it returns which command is said by its annotation.
        ok: Replies that say it was done.
        refused: Replies that say it was not, and will not be.
        within_s: How long an answer may take, in seconds; the command expires then.
        retries: How often, and with what pauses, it is sent again when no answer comes in time. By default never where
            the saga can still be undone, and six times where it cannot, and while undoing.
        to: Topic of the command, where it is on several.
    """

    def __init__(
        self,
        build: Callable[[S], Message],
        ok: Answers[S],
        *,
        refused: Answers[S] | None = None,
        within_s: float,
        retries: RetryPolicy | None = None,
        to: str | None = None,
    ) -> None:
        self.build = build
        self.ok = _reducers(ok)
        self.refused = _reducers(refused or {})
        self.within_s = within_s
        self.retries = retries
        self.to = to

    @cached_property
    def command(self) -> type[Message]:
        """Class of the command.

        Raises:
            ValueError: what builds it is not annotated with it.
        """
        found = _returned(self.build)
        if not isinstance(found, type) or not hasattr(found, "NAME"):
            name = getattr(self.build, "__qualname__", repr(self.build))
            raise ValueError(f"{name} must be annotated with the class of command that it returns")
        return found

    @property
    def replies(self) -> tuple[type[Message], ...]:
        return (*self.ok, *self.refused)

    def shape(self) -> dict[str, Any]:
        return {
            "command": self.command.NAME,
            "ok": sorted(reply.NAME for reply in self.ok),
            "refused": sorted(reply.NAME for reply in self.refused),
        }


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """A step.

    Args:
        name: Its name, by which running sagas know how far they are.
        do: What is asked; None where there is nothing to do, but something to undo.
        undo: What is asked to undo it, also when it is not known whether it was done, or `NOTHING_TO_UNDO`; None for
            the pivot and behind it.
        when: `state -> bool`: whether it applies; asked when its turn comes.
    """

    name: str
    _: KW_ONLY
    do: Ask[S] | None = None
    undo: Ask[S] | _Nothing | None = None
    when: Callable[[S], bool] | None = None

    @property
    def undoing(self) -> Ask[S] | None:
        return self.undo if isinstance(self.undo, Ask) else None

    @property
    def asks(self) -> Iterator[Ask[S]]:
        yield from (ask for ask in (self.do, self.undoing) if ask)

    def shape(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "do": self.do.shape() if self.do else None,
            "undo": self.undoing.shape() if self.undoing else None,
            "conditional": self.when is not None,
        }


class Parallel(Generic[S]):
    """Steps that are asked at once; the saga goes on when all are done."""

    def __init__(self, *steps: Step[S]) -> None:
        self.steps = steps


class Pivot(Generic[S]):
    """The step from which on there is no way back: what follows is tried until it works, or a human decides."""

    def __init__(self, step: Step[S]) -> None:
        self.steps = (step,)


@dataclass(frozen=True)
class Saga(Generic[S]):
    """A definition.

    Args:
        name: Name of the saga.
        version: Number of the version, from 1. Sagas finish on the version that they began with.
        state: Class of the state, a frozen dataclass that pydantic can turn to JSON and back.
        replies_to: Topic of replies, on which also its deadlines come.
        starts: Messages that start one, each with `message -> state`; None where the message is none of its business.
            The record key of the message is the saga's id.
        steps: What is done, in this order; undone in the reverse one.
        cancelled_by: Messages that end one early, by undoing it.
        because: `(state, reason) -> state`, when undoing begins: so that what is undone can tell why.
        too_late: `state -> message` that is sent where a cancellation comes after the pivot has begun.

    Raises:
        ValueError: it could not run to an end; the text says why.
        LookupError: the catalogue does not know one of its messages.
    """

    name: str
    _: KW_ONLY
    version: int
    state: type[S]
    replies_to: str
    starts: Mapping[type[Message], Callable[[Any], S | None]]
    steps: Sequence[Step[S] | Parallel[S] | Pivot[S]]
    cancelled_by: Answers[S] | None = None
    because: Callable[[S, str], S] | None = None
    too_late: Callable[[S], Message] | None = None

    def __post_init__(self) -> None:
        try:
            self._check()
        except ValueError as error:
            raise ValueError(f"saga {self.name}: {error}") from error

    @cached_property
    def stages(self) -> tuple[tuple[Step[S], ...], ...]:
        """Steps in their order, those together that run side by side."""
        return tuple((each,) if isinstance(each, Step) else each.steps for each in self.steps)

    @cached_property
    def pivot(self) -> int:
        """Number of the stage that is the pivot; behind the last where there is none."""
        found = [number for number, each in enumerate(self.steps) if isinstance(each, Pivot)]
        return found[0] if found else len(self.steps)

    @cached_property
    def stage_of(self) -> Mapping[str, int]:
        """Number of the stage of each step."""
        return {step.name: number for number, stage in enumerate(self.stages) for step in stage}

    @cached_property
    def by_name(self) -> Mapping[str, Step[S]]:
        return {step.name: step for stage in self.stages for step in stage}

    @cached_property
    def cancellations(self) -> Mapping[type[Message], Callable[[S, Any], S]]:
        return _reducers(self.cancelled_by or {})

    @property
    def asks(self) -> Iterator[Ask[S]]:
        return (ask for step in self.by_name.values() for ask in step.asks)

    @property
    def takes(self) -> tuple[type[Message], ...]:
        """Classes of the messages that it takes, each once."""
        replies = (reply for ask in self.asks for reply in ask.replies)
        return tuple(dict.fromkeys([*self.starts, *self.cancellations, *replies, DeadlinePassed]))

    @property
    def sends(self) -> tuple[type[Message], ...]:
        """Classes of the messages that it sends, each once."""
        told = [_returned(self.too_late)] if self.too_late else []
        return tuple(dict.fromkeys([*(ask.command for ask in self.asks), *told, DeadlinePassed]))

    def retries_of(self, step: Step[S], ask: Ask[S]) -> RetryPolicy:
        if ask.retries is not None:
            return ask.retries
        can_be_undone = ask is step.do and self.stage_of[step.name] < self.pivot
        return ONCE if can_be_undone else FOR_LONG

    def shape(self) -> dict[str, Any]:
        """Return what running sagas rely on, as JSON: steps, their order and their messages.

        Deadlines and pauses are not part of it: they may be tuned while sagas run.
        """
        return {
            "name": self.name,
            "version": self.version,
            "replies_to": self.replies_to,
            "starts": sorted(message.NAME for message in self.starts),
            "cancelled_by": sorted(message.NAME for message in self.cancellations),
            "stages": [[step.shape() for step in stage] for stage in self.stages],
            "pivot": self.pivot if self.pivot < len(self.stages) else None,
        }

    @cached_property
    def shape_hash(self) -> str:
        """SHA-256 of the shape, in hex."""
        return hashlib.sha256(json.dumps(self.shape(), sort_keys=True).encode()).hexdigest()

    def _check(self) -> None:
        if not self.name or self.version < 1:
            raise ValueError("it needs a name, and a version from 1")
        if not is_dataclass(self.state) or not self.state.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise ValueError(f"its state {self.state.__name__} is no frozen dataclass")
        if not self.starts:
            raise ValueError("no message starts it")
        if not self.steps or not all(self.stages):
            raise ValueError("it has no steps, or a group of none")
        if len(self.by_name) < sum(map(len, self.stages)):
            raise ValueError("two of its steps have one name")
        if sum(isinstance(each, Pivot) for each in self.steps) > 1:
            raise ValueError("it has more than one pivot")
        catalogue().require_replies(self.replies_to)
        self._require_on_replies(DeadlinePassed, "its deadlines come there")
        self._check_cancellation()
        for step in self.by_name.values():
            self._check_step(step)

    def _check_step(self, step: Step[S]) -> None:
        stage = self.stage_of[step.name]
        if stage < self.pivot and step.undo is None:
            raise ValueError(
                f"{step.name} comes before any pivot and has no undo; say undo=NOTHING_TO_UNDO where that is meant"
            )
        if stage < self.pivot and step.do is None and step.undo is NOTHING_TO_UNDO:
            raise ValueError(f"{step.name} has nothing to do, and nothing to undo")
        if stage >= self.pivot and (step.do is None or step.undo is not None):
            raise ValueError(
                f"{step.name} is the pivot or comes after it: it has something to do, and is never undone"
            )
        for ask in step.asks:
            self._check_ask(step, ask)

    def _check_ask(self, step: Step[S], ask: Ask[S]) -> None:
        topic = catalogue().topic_for(ask.command.NAME, ask.to)
        if topic.kind != "commands":
            raise ValueError(
                f"{step.name} asks with {ask.command.NAME}, which is on {topic.name}: that has {topic.kind}"
            )
        if ask.within_s <= 0:
            raise ValueError(f"{step.name} gives no time for an answer to {ask.command.NAME}")
        if not ask.ok:
            raise ValueError(f"{step.name} has no reply that says {ask.command.NAME} was done")
        if ask.ok.keys() & ask.refused.keys():
            raise ValueError(f"{step.name} has a reply to {ask.command.NAME} that is yes and no")
        for reply in ask.replies:
            self._require_on_replies(reply, f"{step.name} waits for it")

    def _check_cancellation(self) -> None:
        topics = {
            topic.name for start in self.starts for topic in catalogue().topics_of(start.NAME)
        }
        for message in self.cancellations:
            if topics.isdisjoint(topic.name for topic in catalogue().topics_of(message.NAME)):
                raise ValueError(
                    f"{message.NAME} is on no topic with what starts it, and could come before that"
                )

    def _require_on_replies(self, message: type[Message], why: str) -> None:
        if message.NAME not in catalogue().topics[self.replies_to].messages:
            raise ValueError(f"{self.replies_to} does not carry {message.NAME}, and {why}")


def _returned(function: Callable[..., Any]) -> Any:
    """Return what a function is annotated to return."""
    annotation = inspect.signature(function).return_annotation
    return get_type_hints(function)["return"] if isinstance(annotation, str) else annotation


def _keep(state: S, _: Any) -> S:
    return state


def _reducers(answers: Answers[S]) -> Mapping[type[Message], Callable[[S, Any], S]]:
    return answers if isinstance(answers, Mapping) else {answers: _keep}
