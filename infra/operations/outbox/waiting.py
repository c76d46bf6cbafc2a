"""What waits in each outbox to be published, looked at again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cdc import connector
from cdc.connector.connect import ConnectError
from cdc.database import SyncConnection
from cdc.relay.backlog import situation
from cdc.slot.backlog import backlog_of
from infra.deployment import Deployment, Publisher
from infra.publishing import publisher
from infra.services import RELAY


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of an outbox that are not in Kafka."""

    number: int
    oldest_s: float | None  # age of the oldest in seconds; None when there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits, by outbox; None where that cannot be told."""

    published_by: Publisher
    outboxes: Mapping[str, Rows] | None
    because: str = ""  # why it cannot be told

    @property
    def rows(self) -> int:
        return sum(each.number for each in (self.outboxes or {}).values())

    @property
    def oldest_s(self) -> float | None:
        ages = (each.oldest_s for each in (self.outboxes or {}).values())
        return max((age for age in ages if age is not None), default=None)


class Outboxes:
    """All outboxes, by schema, on connections that are open already."""

    def __init__(self, deployment: Deployment, outboxes: Mapping[str, SyncConnection]) -> None:
        self._deployment = deployment
        self._outboxes = outboxes
        self._published_until: datetime | None = None

    def look(self) -> Waiting:
        by = publisher(self._deployment)
        if by == "relay":
            backlogs = situation(self._deployment.database_url(RELAY)).backlogs
            rows = {each.outbox: Rows(each.pending, each.oldest_s) for each in backlogs}
            return Waiting(published_by=by, outboxes=rows)
        trouble = self._move()
        if self._published_until is None:
            because = trouble or "the connector has published nothing yet"
            return Waiting(published_by=by, outboxes=None, because=because)
        return Waiting(published_by=by, outboxes=self._since(self._published_until))

    def _move(self) -> str:
        """Find out how far the connector has come; return why that could not be told.

        Without Connect nothing is published, and what is known from before still holds.
        """
        try:
            position = connector.read_position(self._deployment.connect_url, connector.NAME)
        except ConnectError as error:
            return str(error)
        if position and position.committed_at:
            self._published_until = position.committed_at
        return ""

    def _since(self, moment: datetime) -> dict[str, Rows]:
        now = datetime.now(UTC)
        found = {}
        for schema, connection in self._outboxes.items():
            rows = backlog_of(connection, moment, now)
            age_s = None if rows.oldest is None else max(0.0, (now - rows.oldest).total_seconds())
            found[schema] = Rows(rows.rows, age_s)
        return found
