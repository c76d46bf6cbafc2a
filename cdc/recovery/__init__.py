"""Recovery of a lost replication slot, exact to the row, at whatever step it was interrupted before.

A new slot begins at a moment that others can look at as a snapshot. What is committed later, the slot delivers; what is
visible in the snapshot and not in Kafka, is published here, before the slot gets the name by which the connector knows
it. So an interrupted recovery leaves either a connector that refuses to work, or everything published.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cdc import connector
from cdc.reconciliation import Comparison, Progress, Window, open_outboxes
from cdc.reconciliation.kafka import TopicReader
from cdc.reconciliation.spool import Spool
from cdc.recovery.publish import Published, Publisher
from cdc.recovery.slot import beginning, settle

RUNNING_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What is to be recovered.

    Args:
        url: libpq URL of the role with REPLICATION; it needs no right on any table.
        slot: Name of the slot.
        connect_url: Base URL of Connect's REST API.
        config: Configuration of the connector.
        bootstrap: `host:port` of a broker.
        outboxes: Schema -> libpq URL of the role that may read the outbox there.
    """

    url: str
    slot: str
    connect_url: str
    config: Mapping[str, str]
    bootstrap: str
    outboxes: Mapping[str, str]


@dataclass(slots=True)
class Recovered:
    """What a recovery did, or would do.

    Attributes:
        published: What was published again, by topic.
        too_old: Rows from before what Kafka keeps, of which nobody can tell whether they were delivered.
        without_topic: Topic that Kafka does not have -> rows for it.
        seconds: How long it took.
    """

    published: list[Published] = field(default_factory=list)
    too_old: int = 0
    without_topic: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """How many rows were published again."""
        return sum(each.rows for each in self.published)


Tell = Callable[[str], None]


def recover(capture: Capture, since: datetime | None, progress: Progress, tell: Tell) -> Recovered:
    """Give the connector a new slot, and publish exactly what it will never deliver.

    Args:
        capture: What is to be recovered.
        since: Only rows that were written since; None for all that Kafka can be asked about.
        progress: Shows how far it has come.
        tell: Called with a line about each step.

    Raises:
        SlotError: a slot could not be made or dropped.
        PublishError: Kafka does not take the rows.
        ConnectError: Connect cannot be asked, or the connector does not run afterwards.
        TopicError: Kafka cannot be asked.
        psycopg.Error: the database does not let us in.
    """
    begun = time.monotonic()
    _stop(capture)
    tell("the connector is stopped")
    temporary = f"{capture.slot}_recovery"
    with beginning(capture.url, temporary) as snapshot:
        tell("a new slot begins")
        recovered = _publish_lost(capture, since, progress, snapshot)
        tell(f"{recovered.rows:,} rows were published again")
        settle(capture.url, temporary, capture.slot)
    tell(f"the slot {capture.slot} is in its place")
    connector.forget_position(capture.connect_url, connector.NAME)
    connector.apply(capture.connect_url, connector.NAME, dict(capture.config))
    connector.wait_until_running(capture.connect_url, connector.NAME, RUNNING_TIMEOUT_S)
    tell("the connector runs")
    recovered.seconds = round(time.monotonic() - begun, 3)
    return recovered


def rehearse(capture: Capture, since: datetime | None, progress: Progress) -> Recovered:
    """Return what a recovery would publish, as things stand.

    Args:
        capture: What is to be recovered.
        since: Only rows that were written since; None for all that Kafka can be asked about.
        progress: Shows how far it has come.

    Raises:
        TopicError: Kafka cannot be asked.
        psycopg.Error: the database does not let us in.
    """
    begun = time.monotonic()
    recovered = Recovered()
    for topic, spool in _lost(capture, since, progress, None, recovered):
        first, last = spool.ends_of_missing()
        recovered.published.append(Published(topic, spool.count_missing(), first, last))
    recovered.seconds = round(time.monotonic() - begun, 3)
    return recovered


def _stop(capture: Capture) -> None:
    if connector.show(capture.connect_url, connector.NAME) is None:
        connector.create_stopped(capture.connect_url, connector.NAME, dict(capture.config))
    connector.stop(capture.connect_url, connector.NAME)


def _publish_lost(
    capture: Capture, since: datetime | None, progress: Progress, snapshot: str
) -> Recovered:
    recovered = Recovered()
    publisher = Publisher(capture.bootstrap)
    for topic, spool in _lost(capture, since, progress, snapshot, recovered):
        with progress(f"rows for {topic}", spool.count_missing()) as show:
            recovered.published.append(publisher.publish(topic, spool.missing(), show))
    return recovered


def _lost(
    capture: Capture,
    since: datetime | None,
    progress: Progress,
    snapshot: str | None,
    recovered: Recovered,
) -> Iterator[tuple[str, Spool]]:
    """Yield each topic that lacks rows, with the spool that holds them."""
    with open_outboxes(capture.outboxes, snapshot) as outboxes:
        for topic in outboxes.topics():
            with (
                Spool(topic) as spool,
                TopicReader(capture.bootstrap, topic) as reader,
            ):
                comparison = Comparison(reader, spool, Window(since=since), progress)
                comparison.read_topic()
                comparison.compare(topic, outboxes)
                recovered.too_old += comparison.too_old
                missing = spool.count_missing()
                if missing and not reader.ends():
                    recovered.without_topic[topic] = missing
                elif missing:
                    yield topic, spool
