"""Snapshots: states kept with the version they stand for, so that a long log need not be read from its beginning.

They are taken in the transaction of the event that completes every so many versions: the state is at hand there, no
program has to run beside the service, and none outlives an event that was rolled back. Nothing depends on them.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from psycopg.types.json import Jsonb

from cdc.database import Connection
from cdc.event_log.events import QUERIES
from cdc.event_log.fold import Fold, State

S = TypeVar("S")

DEFAULT_EVERY = 100
"""Versions from one snapshot to the next. Folding a hundred events takes a few milliseconds."""


class Snapshots(Generic[S]):
    """Keeps and finds the snapshots of one kind of aggregate.

    Args:
        fold: What the service declares of the kind.
        every: Versions from one snapshot to the next; 0 takes none.
    """

    def __init__(self, fold: Fold[S], every: int = DEFAULT_EVERY) -> None:
        if every < 0:
            raise ValueError(f"a snapshot cannot be taken every {every} versions")
        self._fold = fold
        self._every = every

    async def take_when_due(
        self, connection: Connection, aggregate_id: str, before: int, after: State[S]
    ) -> bool:
        """Keep a state if it completes another round of versions; tell whether it does.

        Args:
            connection: The connection whose transaction carries the events.
            aggregate_id: Identity of the aggregate.
            before: Its version before these events.
            after: Its state after them.
        """
        if not self._every or after.version // self._every == before // self._every:
            return False
        await self.take(connection, aggregate_id, after)
        return True

    async def take(self, connection: Connection, aggregate_id: str, state: State[S]) -> None:
        """Keep a state, unless a later one is kept."""
        await connection.execute(
            QUERIES["keep_snapshot"],
            {
                "kind": self._fold.kind,
                "aggregate_id": aggregate_id,
                "version": state.version,
                "shape": self._fold.shape,
                "state": Jsonb(self._fold.to_json(state.value)),
            },
        )

    async def find(
        self, connection: Connection, aggregate_ids: Sequence[str], *, newest: int | None = None
    ) -> dict[str, State[S]]:
        """Return the snapshots of some aggregates that this code can make sense of, by id.

        Args:
            connection: Leads to the service's schema.
            aggregate_ids: Identities of the aggregates.
            newest: The latest version that may be returned.
        """
        cursor = await connection.execute(
            QUERIES["snapshots"],
            {
                "kind": self._fold.kind,
                "aggregate_ids": list(aggregate_ids),
                "shape": self._fold.shape,
                "newest": newest,
            },
        )
        found = {}
        async for aggregate_id, version, document in cursor:
            value = self._fold.from_json(document)
            if value is not None:
                found[aggregate_id] = State(version, value)
        return found
