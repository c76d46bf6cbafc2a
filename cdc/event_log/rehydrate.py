"""Working out how an aggregate stands, or stood, from its log."""

from contextlib import aclosing
from typing import Generic, TypeVar

from cdc.database import Connection
from cdc.event_log.events import BrokenLogError, LoggedEvent, history
from cdc.event_log.fold import AsOf, Fold, State
from cdc.event_log.snapshots import Snapshots
from schemas.codec import Codec
from schemas.datum import UndecodableError
from schemas.registry import Schemas

S = TypeVar("S")

NOW = AsOf()


class EventLog(Generic[S]):
    """The log of one kind of aggregate, as states.

    Args:
        fold: What the service declares of the kind.
        store: Where the schemas come from that events were written with.
    """

    def __init__(self, fold: Fold[S], store: Schemas) -> None:
        self.fold = fold
        self._codec = Codec(store, fold.messages)
        self._snapshots = Snapshots(fold)

    async def state(
        self,
        connection: Connection,
        aggregate_id: str,
        as_of: AsOf = NOW,
        *,
        snapshots: bool = True,
    ) -> State[S] | None:
        """Return how an aggregate stands, or stood; None when it did not exist by then.

        What a snapshot says is not read again; without one the whole log is, which leads to the same.

        Args:
            connection: Leads to the service's schema.
            aggregate_id: Identity of the aggregate.
            as_of: The moment that is asked for.
            snapshots: Whether a snapshot may be begun with.

        Raises:
            HoleError: a version is missing.
            BrokenLogError: an event cannot be decoded, or cannot stand where it stands.
            RegistryUnavailableError: a schema is not cached and the registry cannot be asked.
        """
        async with connection.transaction():
            begin = await self._snapshot(connection, aggregate_id, as_of) if snapshots else None
            return await self._fold_from(connection, aggregate_id, begin, as_of)

    def after(self, state: State[S] | None, event: LoggedEvent) -> State[S]:
        """Return the state that follows an event of the log.

        Args:
            state: How the aggregate stood before; None before its first event.
            event: The event.

        Raises:
            BrokenLogError: it cannot be decoded, or cannot stand here.
            RegistryUnavailableError: its schema is not cached and the registry cannot be asked.
        """
        try:
            message = self._codec.decode(event.payload)
        except UndecodableError as error:
            raise BrokenLogError(
                f"version {event.aggregate_version} of {self.fold.kind} {event.aggregate_id} cannot be read: {error}"
            ) from error
        return self.fold.after(state, message, event.aggregate_version)

    async def _snapshot(
        self, connection: Connection, aggregate_id: str, as_of: AsOf
    ) -> State[S] | None:
        """Return a state to go on from, if there is one from before the moment."""
        if as_of.time is not None:
            return None
        found = await self._snapshots.find(connection, [aggregate_id], newest=as_of.version)
        return found.get(aggregate_id)

    async def _fold_from(
        self, connection: Connection, aggregate_id: str, state: State[S] | None, as_of: AsOf
    ) -> State[S] | None:
        first = 1 if state is None else state.version + 1
        events = history(connection, self.fold.kind, aggregate_id, from_version=first)
        async with aclosing(events):
            async for event in events:
                if not as_of.includes(event.aggregate_version, event.occurred_at):
                    break
                state = self.after(state, event)
        return state
