"""What pages of sagas show."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.sagas.instance import ENDED
from consumers.sagas.reading import Choice, Found, Noted, SagaReader
from infra.console.board import Panel, Reading, Source
from infra.console.flow.scale import Scale
from infra.console.installation import Installation
from infra.console.pages import Pages, milliseconds
from infra.deployment import Deployment
from infra.operations import sagas as operations
from infra.operations.sagas import OPEN, Figures, Shown, Stuck
from infra.schema_access import Schemas
from infra.services import SAGA_ROLES

WITHIN = timedelta(hours=24)
"""Of sagas that have ended, those that did within this are counted."""
UNCHANGED_FOR = timedelta(seconds=10)
MOST = 200
WIDTH, LEFT, RIGHT, ROW, TOP = 900, 200, 800, 26, 24


@dataclass(frozen=True, slots=True)
class Standing:
    """How many sagas stand how, and what those wait for that have not changed for a while."""

    figures: Sequence[Figures]
    stuck: Sequence[Stuck]


def sources(_installation: Installation, schemas: Schemas) -> tuple[Source, ...]:
    return (Source(name="sagas", open=lambda: _standing(schemas), every_s=3.0),)


def panels(pages: Pages) -> tuple[Panel, ...]:
    def sagas(readings: Mapping[str, Reading]) -> str:
        return pages.render("panel-sagas.html", reading=readings["sagas"])

    return (Panel(name="sagas", sources=("sagas",), render=sagas),)


@contextmanager
def _standing(schemas: Schemas) -> Iterator[Callable[[], Standing]]:
    with schemas.opened() as connections:
        readers = [SagaReader(connections[role]) for role in SAGA_ROLES]
        yield lambda: Standing(
            operations.figures(readers, WITHIN), operations.stuck(readers, UNCHANGED_FOR)
        )


def listed(deployment: Deployment, saga: str, status: str) -> list[Found]:
    """Return sagas of a definition, or of all, that stand so; those that have not ended when it is not said."""
    choice = Choice(saga=saga or None, status=(status,) if status else OPEN)
    with operations.open_sagas(deployment) as readers:
        return operations.list_sagas(readers, choice, MOST)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was noted about a step."""

    x: float
    told: str


@dataclass(frozen=True, slots=True)
class Line:
    """A step along time: from the first that was noted about it to the last."""

    step: str
    status: str
    y: int
    x: float
    width: float
    marks: Sequence[Mark]

    @property
    def is_bad(self) -> bool:
        return self.status in {"given_up", "refused"}


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a template draws."""

    width: int
    height: int
    lines: Sequence[Line]
    seconds: float


@dataclass(frozen=True, slots=True)
class One:
    """A saga with its time drawn."""

    shown: Shown
    timeline: Timeline | None

    @property
    def has_ended(self) -> bool:
        return self.shown.saga.status in ENDED

    @property
    def steps(self) -> list[str]:
        """The steps that it could run from once more."""
        return [*self.shown.saga.steps, *self.shown.remaining]


def one(deployment: Deployment, saga_id: str, saga: str) -> One:
    with operations.open_sagas(deployment) as readers:
        shown = operations.show(readers, saga_id, saga or None)
    statuses = {name: run["status"] for name, run in shown.saga.steps.items()}
    return One(shown, timeline(shown.log, statuses))


def timeline(log: Sequence[Noted], statuses: Mapping[str, str]) -> Timeline | None:
    """Draw what was noted, a line for each step in the order in which they began; None where nothing was."""
    moments = [each.at for each in log]
    if len(set(moments)) < 2:
        return None
    scale = Scale(moments, LEFT, RIGHT)
    steps = dict.fromkeys(each.step for each in log if each.step)
    lines = [
        _line(
            step, [each for each in log if each.step == step], statuses.get(step, ""), number, scale
        )
        for number, step in enumerate(steps)
    ]
    return Timeline(WIDTH, TOP + ROW * len(lines) + 8, lines, scale.seconds)


def _line(step: str, noted: Sequence[Noted], status: str, number: int, scale: Scale) -> Line:
    first, last = noted[0].at, noted[-1].at
    x = scale.x(first)
    return Line(
        step=step,
        status=status,
        y=TOP + ROW * number + ROW // 2,
        x=x,
        width=max(3.0, scale.x(last) - x),
        marks=[Mark(scale.x(each.at), _told(each, scale.first)) for each in noted],
    )


def _told(each: Noted, first: datetime) -> str:
    after = milliseconds((each.at - first).total_seconds())
    return f"{' '.join(filter(None, (each.what, each.type, each.detail)))}, after {after}"
