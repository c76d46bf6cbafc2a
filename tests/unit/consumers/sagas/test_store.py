"""What is written of sagas."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from consumers.sagas.instance import Entry, Instance
from consumers.sagas.registry import Sagas
from consumers.sagas.store import PostgresSagas
from tests.sagas import State, trial

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class FalseState(State):
    def __bool__(self) -> bool:
        return False


class Noted:
    """Takes statements, and keeps the values of the last one."""

    rowcount = 1

    async def execute(self, _: Any, values: Any) -> "Noted":
        self.values = values
        return self


def test_a_state_that_counts_as_false_is_written_like_any_other() -> None:
    state, transaction = FalseState(item_id="1"), Noted()
    saga: Instance[Any] = Instance(
        saga="trial",
        version=1,
        id="1",
        correlation_id=UUID(int=1),
        started_at=NOW,
        updated_at=NOW,
        state=state,
    )
    entries = [
        Entry(saga="trial", saga_id="1", at=NOW, what="asked", state=each) for each in (state, None)
    ]
    store = PostgresSagas(Sagas([trial(state=FalseState)]))
    asyncio.run(store.write(transaction, [saga], entries))  # type: ignore[arg-type]
    kept, none = transaction.values["state"]
    assert '"item_id":"1"' in str(kept)
    assert none is None
