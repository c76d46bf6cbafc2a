"""What operators see of sagas, and how they ask for something: on a connection to the schema of one service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from cdc.database import SyncConnection
from cdc.sql import load_queries
from consumers.sagas.instance import OPEN, STEPS, StepRun

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A saga as operators see it; `waits_for` are the steps that are waited for."""

    saga: str
    saga_id: str
    version: int
    status: str
    reason: str
    correlation_id: UUID
    started_at: datetime
    updated_at: datetime
    next_deadline: datetime | None
    state: Any
    steps: Mapping[str, Any]

    @property
    def runs(self) -> Mapping[str, StepRun]:
        return STEPS.validate_python(dict(self.steps))

    @property
    def waits_for(self) -> list[str]:
        return [name for name, run in self.steps.items() if run["status"] in OPEN]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A line of a saga's log."""

    at: datetime
    what: str
    step: str
    type: str
    message_id: UUID | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wanted done about a saga, and what came of it; `done_at` is None until then."""

    action_id: int
    verb: str
    step: str
    newest: bool  # to fork with the newest version
    actor: str
    why: str
    requested_at: datetime
    done_at: datetime | None
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """How a run ended that was forked later."""

    run: int
    version: int
    status: str
    reason: str
    state: Any
    steps: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which sagas are meant; what is None may be anything."""

    saga: str | None = None
    saga_id: str | None = None
    status: Sequence[str] | None = None
    unchanged_for: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFigures:
    """Sagas of one version that stand alike; times from the start to the last change, in seconds.

    Args:
        messages: Commands sent and messages taken, of all sagas of the version.
        commits: Transactions that wrote about any of them.
        earlier_runs: Runs that ended and were forked later, of all sagas of the version.
    """

    saga: str
    version: int
    status: str
    sagas: int
    p50_s: float
    p99_s: float
    messages: int
    commits: int
    earlier_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """One step of all sagas of a version; times from the first command to the answer, in seconds."""

    saga: str
    version: int
    step: str
    statuses: Mapping[str, int]
    attempts: int
    undo_attempts: int
    timeouts: int
    p50_s: float | None
    p99_s: float | None


class SagaReader:
    """Reads the sagas of one schema.

    Args:
        connection: Leads to it.
    """

    def __init__(self, connection: SyncConnection) -> None:
        self._connection = connection

    def find(self, choice: Choice, limit: int) -> list[Found]:
        """Return sagas, those first that have not changed for longest."""
        values = {
            "saga": choice.saga,
            "saga_id": choice.saga_id,
            "status": list(choice.status) if choice.status else None,
            "unchanged_for": choice.unchanged_for,
            "limit": limit,
        }
        return self._rows(Found, "find", values)

    def shape(self, saga: str, version: int) -> Mapping[str, Any] | None:
        """Return the shape of a definition; None when no worker has introduced it."""
        row = self._connection.execute(
            QUERIES["shape"], {"saga": saga, "version": version}
        ).fetchone()
        return row[0] if row else None

    def open_versions(self) -> list[tuple[str, int, int]]:
        """Return the versions that are under way, each with how many sagas of it."""
        return self._connection.execute(QUERIES["open_versions"]).fetchall()

    def open(self) -> dict[str, dict[str, tuple[int, float]]]:
        """Return of each saga, by status, how many have not ended, and for how long one has not changed, in seconds."""
        found: dict[str, dict[str, tuple[int, float]]] = {}
        for saga, status, number, unchanged_s in self._connection.execute(QUERIES["open"]):
            of = found.setdefault(saga, {})
            if status is not None:
                of[status] = number, unchanged_s
        return found

    def log(self, saga: str, saga_id: str) -> list[Noted]:
        return self._rows(Noted, "log", {"saga": saga, "saga_id": saga_id})

    def actions(self, saga: str, saga_id: str) -> list[Wanted]:
        return self._rows(Wanted, "actions", {"saga": saga, "saga_id": saga_id})

    def runs(self, saga: str, saga_id: str) -> list[Past]:
        return self._rows(Past, "runs", {"saga": saga, "saga_id": saga_id})

    def figures(self, saga: str | None, since: timedelta) -> list[StatusFigures]:
        """Count the sagas that are under way, and those that ended within a time."""
        return self._rows(StatusFigures, "figures", {"saga": saga, "since": since})

    def step_figures(self, saga: str | None, since: timedelta) -> list[StepFigures]:
        return self._rows(StepFigures, "step_figures", {"saga": saga, "since": since})

    def request(self, values: Mapping[str, object]) -> int:
        """Ask for an action; return its number."""
        [[action_id]] = self._connection.execute(QUERIES["request"], values).fetchall()
        return int(action_id)

    def _rows(self, kind: type[Any], query: str, values: Mapping[str, Any]) -> list[Any]:
        with self._connection.cursor(row_factory=class_row(kind)) as cursor:
            return cursor.execute(QUERIES[query], values).fetchall()
