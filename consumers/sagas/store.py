"""Where sagas are kept: as a protocol, and in Postgres, with one statement for any number of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from psycopg.types.json import Jsonb

from cdc.database import Connection, SyncConnection
from cdc.outbox import ConcurrencyError
from cdc.sql import columns, load_queries
from consumers.sagas.inputs import Act
from consumers.sagas.instance import ENDED, STEPS, Entry, Instance, StepRun, next_of
from consumers.sagas.registry import Sagas

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class Armed:
    """A saga with a deadline, as far as that needs to be known."""

    saga: str
    saga_id: str
    correlation_id: UUID
    steps: Mapping[str, StepRun]


@dataclass(frozen=True, slots=True)
class Action:
    """What an operator wants done about a saga."""

    action_id: int
    saga: str
    saga_id: str
    act: Act


class SagaStore(Protocol):
    """Keeps sagas in the transactions that it is given."""

    async def load(self, transaction: Any, ids: Collection[str]) -> list[Instance[Any]]:
        """Return all sagas of these ids, locked against others until the end."""

    async def await_begun(self, transaction: Any, ids: Collection[str]) -> None:
        """Wait for whoever begins sagas of these ids in a transaction that is not over."""

    async def write(
        self, transaction: Any, instances: Sequence[Instance[Any]], entries: Sequence[Entry]
    ) -> None:
        """Keep sagas that were loaded or have begun, and note what happened.

        Raises:
            ConcurrencyError: somebody else has begun one of them meanwhile.
        """

    async def take_passed(
        self, transaction: Any, sagas: Sagas, now: datetime, limit: int
    ) -> list[Armed]:
        """Return those of these sagas with a deadline that has passed, but for what somebody has locked."""

    async def rearm(self, transaction: Any, armed: Sequence[Armed]) -> None:
        """Keep the steps of sagas that were taken so."""

    async def take_ended(
        self, transaction: Any, before: datetime, limit: int
    ) -> list[tuple[str, str]]:
        """Return saga and id of those that ended before a time, but for what somebody has locked."""

    async def forget(self, transaction: Any, ended: Sequence[tuple[str, str]]) -> None:
        """Remove sagas, and what was noted about them."""

    async def request(self, transaction: Any, saga: str, saga_id: str, act: Act, why: str) -> None:
        """Ask for an action."""

    async def take_action(self, transaction: Any) -> Action | None:
        """Return the oldest action that nobody has carried out or locked."""

    async def finish_action(
        self, transaction: Any, action_id: int, outcome: str, now: datetime
    ) -> None:
        """Write what came of an action."""

    async def states(self, transaction: Any, instance: Instance[Any]) -> Mapping[str, str]:
        """Return by step what was remembered when it began last, as JSON."""

    async def keep_run(self, transaction: Any, instance: Instance[Any]) -> None:
        """Keep how a run ended, before another one takes its row."""

    def introduce(self, connection: Any) -> None:
        """Keep the shapes of all definitions.

        Raises:
            RefusedError: sagas are under way that could not finish as they began.
        """


class PostgresSagas:
    """Sagas in the tables of `consumers/sagas/migrations`."""

    def __init__(self, sagas: Sagas) -> None:
        self._sagas = sagas

    async def load(self, transaction: Connection, ids: Collection[str]) -> list[Instance[Any]]:
        cursor = await transaction.execute(QUERIES["load"], {"ids": list(ids)})
        return [self._instance(*row) for row in await cursor.fetchall()]

    async def await_begun(self, transaction: Connection, ids: Collection[str]) -> None:
        values = {"sagas": [saga.name for saga in self._sagas.newest], "ids": sorted(ids)}
        async with transaction.transaction(force_rollback=True):
            await transaction.execute(QUERIES["await_begun"], values)

    async def write(
        self, transaction: Connection, instances: Sequence[Instance[Any]], entries: Sequence[Entry]
    ) -> None:
        if instances:
            written = await transaction.execute(
                QUERIES["write"], columns([self._columns(each) for each in instances])
            )
            if written.rowcount < len(instances):
                raise ConcurrencyError("a saga was begun by somebody else meanwhile")
        if entries:
            by_id = {(each.saga, each.id): each for each in instances}
            noted = [
                entry.columns()
                | {
                    "state": None
                    if entry.state is None
                    else self._state(by_id[entry.saga, entry.saga_id], entry.state)
                }
                for entry in entries
            ]
            await transaction.execute(QUERIES["note"], columns(noted))

    async def take_passed(
        self, transaction: Connection, sagas: Sagas, now: datetime, limit: int
    ) -> list[Armed]:
        names = [saga.name for saga in sagas.newest]
        values = {"sagas": names, "now": now, "limit": limit}
        cursor = await transaction.execute(QUERIES["take_passed"], values)
        rows = await cursor.fetchall()
        return [
            Armed(saga, saga_id, correlation_id, STEPS.validate_json(steps))
            for saga, saga_id, correlation_id, steps in rows
        ]

    async def rearm(self, transaction: Connection, armed: Sequence[Armed]) -> None:
        rows = [
            {
                "saga": each.saga,
                "saga_id": each.saga_id,
                "steps": _steps(each.steps),
                "next_deadline": next_of(each.steps),
            }
            for each in armed
        ]
        await transaction.execute(QUERIES["rearm"], columns(rows))

    async def take_ended(
        self, transaction: Connection, before: datetime, limit: int
    ) -> list[tuple[str, str]]:
        values = {"before": before, "limit": limit}
        return await (await transaction.execute(QUERIES["take_ended"], values)).fetchall()

    async def forget(self, transaction: Connection, ended: Sequence[tuple[str, str]]) -> None:
        rows = [{"saga": saga, "saga_id": saga_id} for saga, saga_id in ended]
        await transaction.execute(QUERIES["forget"], columns(rows))

    async def request(
        self, transaction: Connection, saga: str, saga_id: str, act: Act, why: str
    ) -> None:
        named = {"saga": saga, "saga_id": saga_id, "why": why}
        asked = {"verb": act.verb, "step": act.step, "newest": act.newest, "actor": act.who}
        await transaction.execute(QUERIES["request"], named | asked)

    async def take_action(self, transaction: Connection) -> Action | None:
        row = await (await transaction.execute(QUERIES["take_action"])).fetchone()
        if row is None:
            return None
        action_id, saga, saga_id, verb, step, newest, who = row
        return Action(action_id, saga, saga_id, Act(verb, who, step, newest))

    async def finish_action(
        self, transaction: Connection, action_id: int, outcome: str, now: datetime
    ) -> None:
        values = {"action_id": action_id, "outcome": outcome, "now": now}
        await transaction.execute(QUERIES["finish_action"], values)

    async def states(self, transaction: Connection, instance: Instance[Any]) -> Mapping[str, str]:
        named = {"saga": instance.saga, "saga_id": instance.id}
        return dict(await (await transaction.execute(QUERIES["states"], named)).fetchall())

    async def keep_run(self, transaction: Connection, instance: Instance[Any]) -> None:
        named = {"saga": instance.saga, "saga_id": instance.id}
        await transaction.execute(QUERIES["keep_run"], named)

    def introduce(self, connection: SyncConnection) -> None:
        shapes = {
            (saga, version): shape_hash
            for saga, version, shape_hash in connection.execute(QUERIES["shapes"])
        }
        running = connection.execute(QUERIES["open_versions"]).fetchall()
        self._sagas.require(shapes, [(saga, version) for saga, version, _ in running])
        for saga in self._sagas:
            shape = {"shape_hash": saga.shape_hash, "shape": Jsonb(saga.shape())}
            named = {"saga": saga.name, "version": saga.version}
            connection.execute(QUERIES["introduce"], named | shape)

    def _instance(  # noqa: PLR0913, PLR0917 - the columns of a row
        self,
        saga: str,
        version: int,
        saga_id: str,
        correlation_id: UUID,
        started_at: datetime,
        updated_at: datetime,
        state: str,
        steps: str,
        status: Any,
        reason: str,
        revision: int,
        generations: int,
    ) -> Instance[Any]:
        is_past = status in ENDED and not self._sagas.knows(saga, version)
        states = None if is_past else self._sagas.state_of(self._sagas.of(saga, version))
        return Instance(
            saga=saga,
            version=version,
            id=saga_id,
            correlation_id=correlation_id,
            started_at=started_at,
            updated_at=updated_at,
            state=states.validate_json(state) if states else None,
            steps=STEPS.validate_json(steps),
            status=status,
            reason=reason,
            revision=revision,
            generations=generations,
        )

    def _state(self, instance: Instance[Any], state: Any) -> str:
        states = self._sagas.state_of(self._sagas.of(instance.saga, instance.version))
        return states.dump_json(state).decode()

    def _columns(self, instance: Instance[Any]) -> dict[str, Any]:
        return {
            "saga": instance.saga,
            "saga_id": instance.id,
            "version": instance.version,
            "status": instance.status,
            "reason": instance.reason,
            "correlation_id": instance.correlation_id,
            "state": self._state(instance, instance.state),
            "steps": _steps(instance.steps),
            "next_deadline": instance.next_deadline,
            "revision": instance.revision,
            "generations": instance.generations,
            "started_at": instance.started_at,
            "updated_at": instance.updated_at,
        }


def _steps(steps: Mapping[str, StepRun]) -> str:
    return STEPS.dump_json(dict(steps)).decode()
