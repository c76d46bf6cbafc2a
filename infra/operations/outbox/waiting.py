"""What waits in each outbox to be published, looked at again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cdc import connector
from cdc.connector.connect import ConnectError
from cdc.database import SyncConnection
from cdc.slot.backlog import backlog_of
from infra.deployment import Deployment, Publisher
from infra.operations.relay import report
from infra.publishing import publisher


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
    """All outboxes, on connections that are open already, by the names that `outbox_urls` gives them."""

    def __init__(self, deployment: Deployment, outboxes: Mapping[str, SyncConnection]) -> None:
        self._deployment = deployment
        self._outboxes = outboxes
        self._published_until: dict[str, datetime] = {}  # by shard

    def look(self) -> Waiting:
        by = publisher(self._deployment)
        if by == "relay":
            backlogs = report(self._deployment).backlogs
            rows = {each.outbox: Rows(each.pending, each.oldest_s) for each in backlogs}
            return Waiting(published_by=by, outboxes=rows)
        trouble = self._move()
        if len(self._published_until) < len(self._deployment.shards):
            because = trouble or "a connector has published nothing yet"
            return Waiting(published_by=by, outboxes=None, because=because)
        return Waiting(published_by=by, outboxes=self._still_there())

    def _move(self) -> str:
        """Find out how far each connector has come; return why that could not be told.

        Without Connect nothing is published, and what is known from before still holds.
        """
        try:
            for each in self._deployment.shards:
                position = connector.read_position(self._deployment.connect_url, each.connector)
                if position and position.committed_at:
                    self._published_until[each.name] = position.committed_at
        except ConnectError as error:
            return str(error)
        return ""

    def _still_there(self) -> dict[str, Rows]:
        now = datetime.now(UTC)
        found = {}
        for capture in self._deployment.captures:
            for name in capture.outbox_labels:
                waiting = [
                    backlog_of(
                        self._outboxes[name], self._published_until[each.name], now, each.keys
                    )
                    for each in capture.shards
                ]
                oldest = min((each.oldest for each in waiting if each.oldest), default=None)
                age_s = None if oldest is None else max(0.0, (now - oldest).total_seconds())
                found[name] = Rows(sum(each.rows for each in waiting), age_s)
        return found
