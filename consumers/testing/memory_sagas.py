"""Sagas in a database in memory."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from cdc.outbox import ConcurrencyError
from consumers.sagas.inputs import Act
from consumers.sagas.instance import Entry, Instance
from consumers.sagas.registry import Sagas
from consumers.sagas.store import Action, Armed


@dataclass(slots=True)
class SagaTables:
    """What a `MemoryDatabase` holds for sagas."""

    instances: dict[tuple[str, str], Instance[Any]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    outcomes: dict[int, str] = field(default_factory=dict)
    shapes: dict[tuple[str, int], str] = field(default_factory=dict)
    runs: list[Instance[Any]] = field(default_factory=list)


class MemorySagas:
    """Sagas in `SagaTables`, their states as they come back from JSON."""

    def __init__(self, sagas: Sagas) -> None:
        self._sagas = sagas

    async def load(self, transaction: SagaTables, ids: Collection[str]) -> list[Instance[Any]]:
        return [
            each for (saga_id, _), each in sorted(transaction.instances.items()) if saga_id in ids
        ]

    async def await_begun(self, transaction: SagaTables, ids: Collection[str]) -> None:
        """Do nothing: one transaction comes after the other here."""

    async def write(
        self, transaction: SagaTables, instances: Sequence[Instance[Any]], entries: Sequence[Entry]
    ) -> None:
        for each in instances:
            before = transaction.instances.get((each.id, each.saga))
            if (before.revision if before else 0) != each.revision:
                raise ConcurrencyError("a saga was begun by somebody else meanwhile")
            states = self._states_of(each)
            state = states.validate_json(states.dump_json(each.state))
            written = replace(each, state=state, revision=each.revision + 1)
            transaction.instances[each.id, each.saga] = written
        transaction.entries += entries

    async def take_passed(
        self, transaction: SagaTables, sagas: Sagas, now: datetime, limit: int
    ) -> list[Armed]:
        passed = [
            Armed(each.saga, each.id, each.correlation_id, each.steps)
            for each in transaction.instances.values()
            if each.next_deadline and each.next_deadline <= now
        ]
        return passed[:limit]

    async def rearm(self, transaction: SagaTables, armed: Sequence[Armed]) -> None:
        for each in armed:
            before = transaction.instances[each.saga_id, each.saga]
            after = replace(before, steps=each.steps, revision=before.revision + 1)
            transaction.instances[each.saga_id, each.saga] = after

    async def take_ended(
        self, transaction: SagaTables, before: datetime, limit: int
    ) -> list[tuple[str, str]]:
        ended = [
            (each.saga, each.id)
            for each in transaction.instances.values()
            if each.has_ended and each.updated_at < before
        ]
        return ended[:limit]

    async def forget(self, transaction: SagaTables, ended: Sequence[tuple[str, str]]) -> None:
        for saga, saga_id in ended:
            del transaction.instances[saga_id, saga]
        transaction.runs = [each for each in transaction.runs if (each.saga, each.id) not in ended]
        transaction.entries = [
            each for each in transaction.entries if (each.saga, each.saga_id) not in ended
        ]

    async def request(
        self, transaction: SagaTables, saga: str, saga_id: str, act: Act, why: str
    ) -> None:
        asked = replace(act, who=f"{act.who}: {why}")
        number = len(transaction.actions) + 1
        transaction.actions.append(Action(number, saga, saga_id, asked))

    async def take_action(self, transaction: SagaTables) -> Action | None:
        left = (each for each in transaction.actions if each.action_id not in transaction.outcomes)
        return next(left, None)

    async def finish_action(
        self, transaction: SagaTables, action_id: int, outcome: str, now: datetime
    ) -> None:
        transaction.outcomes[action_id] = outcome

    async def states(self, transaction: SagaTables, instance: Instance[Any]) -> Mapping[str, str]:
        return {
            each.step: self._states_of(instance).dump_json(each.state).decode()
            for each in transaction.entries
            if (each.saga, each.saga_id) == (instance.saga, instance.id) and each.state is not None
        }

    async def keep_run(self, transaction: SagaTables, instance: Instance[Any]) -> None:
        transaction.runs.append(instance)

    def _states_of(self, instance: Instance[Any]) -> TypeAdapter[Any]:
        return self._sagas.state_of(self._sagas.of(instance.saga, instance.version))

    def introduce(self, connection: SagaTables) -> None:
        running: Mapping[tuple[str, int], Any] = {
            (each.saga, each.version): each
            for each in connection.instances.values()
            if not each.has_ended
        }
        self._sagas.require(connection.shapes, running)
        for saga in self._sagas:
            connection.shapes[saga.name, saga.version] = saga.shape_hash
