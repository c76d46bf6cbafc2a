"""What operators do about sagas: see them, see what they wait for, and have workers carry out what is wanted."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from cdc.text import quoted
from consumers.sagas.diagram import mermaid
from consumers.sagas.inputs import Verb
from consumers.sagas.instance import ENDED, Status
from consumers.sagas.reading import Choice, Found, Noted, Past, SagaReader, StepFigures, Wanted
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.role_access import open_roles
from infra.services import SAGA_ROLES
from schemas.gate.running import Running
from schemas.messages.sagas import DeadlinePassed

WAIT_S = 10.0
"""How long a worker may take to carry out what is wanted; it looks twice a second."""
LOOK_EVERY_S = 0.2
MOST = 10_000

ABOUT: dict[Verb, str] = {
    "resume": "Have what no attempt is left for tried again: of a saga that is paused, or stuck in its undo.",
    "retry": "Have everything that a saga waits for asked again right now.",
    "cancel": "End a saga early, by undoing it; not after its pivot has begun.",
    "kill": "End a saga where it stands: nothing is undone, and what is under way is left alone.",
    "skip": "Take a step that a saga waits for as done, or as undone.",
}
"""What can be done about a saga that has not ended."""

VERBS: tuple[Verb, ...] = get_args(Verb)

OPEN: tuple[str, ...] = tuple(each for each in get_args(Status) if each not in ENDED)


class NoSuchSagaError(TailraceError):
    """No saga has the id that was named."""


class NotDoneError(TailraceError):
    """What was wanted was not carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A saga with all that is known of it."""

    saga: Found
    log: Sequence[Noted]
    actions: Sequence[Wanted]
    runs: Sequence[Past]  # earlier ones, from which later ones were forked
    remaining: Sequence[str]  # steps that have not begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """Sagas that wait for one step: a participant that does not answer, or a human."""

    saga: str
    step: str
    asks: str  # full name of the command that is out; empty where the definition is not known
    status: str
    sagas: int
    oldest: datetime
    example: str


@contextmanager
def open_sagas(deployment: Deployment) -> Iterator[list[SagaReader]]:
    """Open the schemas of all services that have sagas, until the block ends."""
    with open_roles(deployment, SAGA_ROLES) as connections:
        yield [SagaReader(each) for each in connections.values()]


def list_sagas(readers: Sequence[SagaReader], choice: Choice, limit: int) -> list[Found]:
    """Return sagas, those first that have not changed for longest.

    Raises:
        RequestError: no worker has introduced the definition that is chosen.
    """
    found = [saga for reader in readers for saga in reader.find(choice, limit)]
    if choice.saga and not found:
        _require_known(readers, choice.saga)
    return sorted(found, key=lambda each: each.updated_at)[:limit]


def _require_known(readers: Sequence[SagaReader], saga: str) -> None:
    known = sorted({name for reader in readers for name in reader.open()})
    if saga not in known:
        there = f"there are {', '.join(known)}" if known else "no worker has introduced any"
        raise RequestError(f"{quoted(saga)} is no definition of sagas; {there}.")


def show(readers: Sequence[SagaReader], saga_id: str, saga: str | None = None) -> Shown:
    reader, found = _one(readers, saga_id, saga)
    shape = reader.shape(found.saga, found.version)
    return Shown(
        saga=found,
        log=reader.log(found.saga, found.saga_id),
        actions=reader.actions(found.saga, found.saga_id),
        runs=reader.runs(found.saga, found.saga_id),
        remaining=[step["name"] for step in _steps(shape) if step["name"] not in found.steps],
    )


def diagram(readers: Sequence[SagaReader], saga_id: str, saga: str | None = None) -> str:
    """Return a saga's definition with its path, as Mermaid."""
    reader, found = _one(readers, saga_id, saga)
    shape = reader.shape(found.saga, found.version)
    if shape is None:
        raise NoSuchSagaError(f"no worker has introduced version {found.version} of {found.saga}")
    return mermaid(shape, {name: run["status"] for name, run in found.steps.items()})


def stuck(readers: Sequence[SagaReader], unchanged_for: timedelta) -> list[Stuck]:
    """Return what sagas wait for that have not changed for a time, by step; those first that most wait for."""
    found = []
    for reader in readers:
        choice = Choice(status=OPEN, unchanged_for=unchanged_for)
        waiting: defaultdict[tuple[str, int, str, str], list[Found]] = defaultdict(list)
        for saga in reader.find(choice, MOST):
            for step in saga.waits_for:
                waiting[saga.saga, saga.version, step, saga.status].append(saga)
        for (name, version, step, status), sagas in waiting.items():
            asks = _asked(reader.shape(name, version), step, sagas[0].steps[step])
            found.append(
                Stuck(
                    saga=name,
                    step=step,
                    asks=asks,
                    status=status,
                    sagas=len(sagas),
                    oldest=sagas[0].updated_at,
                    example=sagas[0].saga_id,
                )
            )
    return sorted(found, key=lambda each: -each.sagas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many sagas stand alike, and how long it took them, in seconds: of those under way so far."""

    sagas: int
    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What became of the sagas of one version."""

    saga: str
    version: int
    sagas: int
    earlier_runs: int  # of these sagas, that ended and were forked later
    statuses: Mapping[str, Ended]
    messages_per_saga: float
    commits_per_saga: float  # transactions that wrote about any of them, by their number
    steps: Sequence[StepFigures]  # in the order of the definition


def figures(
    readers: Sequence[SagaReader], since: timedelta, saga: str | None = None
) -> list[Figures]:
    """Count the sagas that are under way, and those that ended within a time, by version and step."""
    found = []
    for reader in readers:
        rows = defaultdict(list)
        for row in reader.figures(saga, since):
            rows[row.saga, row.version].append(row)
        steps = reader.step_figures(saga, since)
        for (name, version), of in rows.items():
            sagas = sum(each.sagas for each in of)
            order = {
                step["name"]: number
                for number, step in enumerate(_steps(reader.shape(name, version)))
            }
            own = [each for each in steps if (each.saga, each.version) == (name, version)]
            found.append(
                Figures(
                    saga=name,
                    version=version,
                    sagas=sagas,
                    earlier_runs=of[0].earlier_runs,
                    statuses={
                        each.status: Ended(sagas=each.sagas, p50_s=each.p50_s, p99_s=each.p99_s)
                        for each in of
                    },
                    messages_per_saga=of[0].messages / sagas,
                    commits_per_saga=of[0].commits / sagas,
                    steps=sorted(
                        own, key=lambda each: (order.get(each.step, len(order)), each.step)
                    ),
                )
            )
    return found


def running(readers: Sequence[SagaReader]) -> list[Running]:
    """Return the versions that are under way, with the messages that they need until they end."""
    found = []
    for reader in readers:
        for saga, version, number in reader.open_versions():
            shape = reader.shape(saga, version)
            if shape is None:
                raise NoSuchSagaError(f"no worker has introduced version {version} of {saga}")
            asks = [ask for step in _steps(shape) for ask in (step["do"], step["undo"]) if ask]
            replies = {name for ask in asks for name in (*ask["ok"], *ask["refused"])}
            found.append(
                Running(
                    saga=saga,
                    version=version,
                    sagas=number,
                    replies_to=shape["replies_to"],
                    replies=frozenset(replies | {DeadlinePassed.NAME}),
                    cancelled_by=frozenset(shape["cancelled_by"]),
                    commands=frozenset(ask["command"] for ask in asks),
                )
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """What is wanted, of which saga, and on whose account."""

    verb: Verb
    saga_id: str
    saga: str | None = None
    step: str | None = None
    newest: bool = False
    actor: str
    why: str

    def __post_init__(self) -> None:
        if self.verb == "skip" and not self.step:
            raise RequestError("Say which step is to be skipped: --step.")
        if self.verb == "fork" and not self.step:
            raise RequestError("Say from which step on it is to run once more: --from-step.")


def act(readers: Sequence[SagaReader], request: ActionRequest, wait_s: float = WAIT_S) -> Wanted:
    """Have a worker carry out what is wanted, and wait for what comes of it.

    Raises:
        NoSuchSagaError: there is no such saga.
        NotDoneError: it was refused, or no worker has seen to it in time; it is then carried out when one does.
    """
    reader, found = _one(readers, request.saga_id, request.saga)
    values = {
        "saga": found.saga,
        "saga_id": found.saga_id,
        "verb": request.verb,
        "step": request.step or "",
        "newest": request.newest,
        "actor": request.actor,
        "why": request.why,
    }
    action_id = reader.request(values)
    given_up_at = time.monotonic() + wait_s
    while True:
        actions = {each.action_id: each for each in reader.actions(found.saga, found.saga_id)}
        wanted: Wanted = actions[action_id]
        if wanted.done_at is not None:
            break
        if time.monotonic() > given_up_at:
            raise NotDoneError(
                f"{request.verb} is noted as action {action_id}, and no worker has seen to it in {wait_s:g} s: it will "
                "be carried out when one runs"
            )
        time.sleep(LOOK_EVERY_S)
    if wanted.outcome != "done":
        raise NotDoneError(f"{found.saga} {found.saga_id} was left alone: {wanted.outcome}")
    return wanted


def _one(readers: Sequence[SagaReader], saga_id: str, saga: str | None) -> tuple[SagaReader, Found]:
    choice = Choice(saga=saga, saga_id=saga_id)
    found = [(reader, each) for reader in readers for each in reader.find(choice, MOST)]
    if not found:
        raise NoSuchSagaError(
            f"no saga has the id {saga_id}; `tailrace saga list` shows those there are"
        )
    if len(found) > 1:
        names = " and ".join(sorted(each.saga for _, each in found))
        raise RequestError(f"{saga_id} is the id of {names}: say which is meant with --saga.")
    return found[0]


def _steps(shape: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    return [step for stage in shape["stages"] for step in stage] if shape else []


def _asked(shape: Mapping[str, Any] | None, name: str, run: Mapping[str, Any]) -> str:
    for stage in shape["stages"] if shape else ():
        for step in stage:
            ask = step["undo" if run["undoing"] else "do"]
            if step["name"] == name and ask:
                return str(ask["command"])
    return ""
