"""How much each outbox holds, and dropping days of messages that are published and old."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cdc.database import connect
from cdc.delayed import KeptBack
from cdc.delayed import measure as kept_back
from cdc.retention.rounds import Day
from cdc.retention.stats import Held, Progress, measure, progress
from infra.capture import outbox_urls
from infra.deployment import Deployment, Publisher, Shard
from infra.operations.relay import report
from infra.publishing import publisher
from infra.retention_access import look_after
from infra.services import CAPTURE


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """What an outbox holds, and what of it the next round drops."""

    schema: str
    events: Held
    messages: Held
    delayed: KeptBack
    partitions: Sequence[str]
    droppable: Sequence[str]
    droppable_bytes: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the relay still has to publish."""

    rows: int
    oldest_s: float | None


@dataclass(frozen=True, slots=True)
class Stats:
    """What the outboxes hold, who publishes them, and how far he is, or the last of several; without a slot None."""

    outboxes: Sequence[OutboxStats]
    outbox_days: int
    published_by: Publisher
    publisher: Progress | Waiting | None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became, or in a dry run would become, of each day, by schema."""

    dry_run: bool
    outboxes: Mapping[str, Sequence[Day]]

    @property
    def is_good(self) -> bool:
        """Whether every day could be made, and nothing lies in the default partition."""
        return not any(
            day.fate == "missing" or (day.last_day is None and day.fate == "kept")
            for days in self.outboxes.values()
            for day in days
        )


def stats(deployment: Deployment) -> Stats:
    days = look_after(deployment, timedelta(days=deployment.outbox_days), dry_run=True)
    outboxes = []
    for schema, url in outbox_urls(deployment).items():
        with connect(url, autocommit=True) as connection:
            events, messages = measure(connection)
            delayed = kept_back(connection)
        droppable = [day for day in days[schema] if day.fate == "dropped"]
        outboxes.append(
            OutboxStats(
                schema,
                events,
                messages,
                delayed,
                partitions=[day.name for day in days[schema] if day.fate in {"kept", "dropped"}],
                droppable=[day.name for day in droppable],
                droppable_bytes=sum(day.bytes for day in droppable),
            )
        )
    by = publisher(deployment)
    return Stats(outboxes, deployment.outbox_days, by, _progress(deployment, by))


def _progress(deployment: Deployment, by: Publisher) -> Progress | Waiting | None:
    if by == "relay":
        found = report(deployment)
        return Waiting(found.pending, found.oldest_s)
    slots = [_of_slot(each) for each in deployment.shards]
    known = [each for each in slots if each is not None]
    if len(known) < len(slots):
        return None
    return max(known, key=lambda each: each.behind_bytes)


def _of_slot(shard: Shard) -> Progress | None:
    with connect(shard.capture.url(CAPTURE), autocommit=True) as connection:
        return progress(connection, shard.slot)


def prune(deployment: Deployment, *, keep_days: int | None = None, dry_run: bool = False) -> Pruned:
    kept = timedelta(days=keep_days or deployment.outbox_days)
    return Pruned(dry_run, look_after(deployment, kept, dry_run=dry_run))
