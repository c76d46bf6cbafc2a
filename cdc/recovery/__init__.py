"""Recovery of a lost replication slot, exact to the row, at whatever step it was interrupted before.

A new slot begins at a moment that others can look at as a snapshot. What is committed later, the slot delivers; what is
visible in the snapshot and not in Kafka, is published here, before the slot gets the name by which the connector knows
it. So an interrupted recovery leaves either a connector that refuses to work, or everything published.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from confluent_kafka import KafkaException

from cdc import causes, connector
from cdc.bounds import largest
from cdc.kafka import TopicError
from cdc.reconciliation import Comparison, Progress, Window, open_outboxes
from cdc.reconciliation.spool import Spool
from cdc.recovery.publish import Published, Publisher, PublishError, TooLarge, too_large
from cdc.recovery.slot import SlotError, beginning, settle
from cdc.shards import ALL, Keys
from cdc.topic_reader import TopicReader

RUNNING_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What is to be recovered."""

    url: str
    slot: str
    connector: str  # its name in Connect
    connect_url: str
    config: Mapping[str, str]
    bootstrap: str
    outboxes: Mapping[str, str]  # outbox -> libpq URL of the role that may read it
    keys: Keys = ALL  # those that its connector carries


@dataclass(slots=True)
class Recovered:
    """What a recovery did, or would do.

    Attributes:
        published: What was published again, by topic.
        too_old: Rows from before what Kafka keeps, of which nobody can tell whether they were delivered.
        without_topic: Topic that Kafka does not have -> rows for it.
        too_large: Rows that no broker takes.
        seconds: How long it took.
    """

    published: list[Published] = field(default_factory=list)
    too_old: int = 0
    without_topic: dict[str, int] = field(default_factory=dict)
    too_large: list[TooLarge] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.published)


Tell = Callable[[str], None]


class RecoveryError(Exception):
    """A recovery came to no end; the text says why, how things stand, and what to do."""


def recover(
    capture: Capture,
    since: datetime | None,
    progress: Progress,
    tell: Tell,
    *,
    leave_out: bool,
) -> Recovered:
    """Give the connector a new slot, and publish exactly what it will never deliver.

    Args:
        since: Only rows that were written since; None for all that Kafka can be asked about.
        tell: Called with a line about each step.
        leave_out: Go around rows that are too large to be published, instead of stopping before them.
    """
    begun = time.monotonic()
    _stop(capture)
    tell("the connector is stopped")
    temporary = f"{capture.slot}_recovery"
    try:
        with beginning(capture.url, temporary) as snapshot:
            tell("a new slot begins")
            recovered = _publish_lost(capture, since, progress, snapshot, leave_out=leave_out)
            tell(f"{recovered.rows:,} rows were published again")
            settle(capture.url, temporary, capture.slot)
    except (SlotError, PublishError, TopicError, KafkaException, psycopg.Error) as error:
        raise RecoveryError(
            f"{causes.in_line(str(error), 1000)}. The connector {capture.connector} stays STOPPED until a recovery "
            "comes to its end, and the outboxes keep what is written meanwhile: mend that, then recover again"
        ) from error
    tell(f"the slot {capture.slot} is in its place")
    connector.forget_position(capture.connect_url, capture.connector)
    connector.apply(capture.connect_url, capture.connector, dict(capture.config))
    connector.wait_until_running(capture.connect_url, capture.connector, RUNNING_TIMEOUT_S)
    tell("the connector runs")
    recovered.seconds = round(time.monotonic() - begun, 3)
    return recovered


def rehearse(capture: Capture, since: datetime | None, progress: Progress) -> Recovered:
    """Return what a recovery would publish, as things stand.

    Args:
        since: Only rows that were written since; None for all that Kafka can be asked about.
    """
    begun = time.monotonic()
    recovered = Recovered()
    with closing(_lost(capture, since, progress, None, recovered)) as lost:
        for topic, spool in lost:
            first, last = spool.ends_of_missing()
            large = too_large(topic, spool.large_missing(largest()))
            recovered.too_large += large
            rows = spool.count_missing() - len(large)
            recovered.published.append(Published(topic, rows, first, last))
    recovered.seconds = round(time.monotonic() - begun, 3)
    return recovered


def _stop(capture: Capture) -> None:
    if connector.show(capture.connect_url, capture.connector) is None:
        connector.create_stopped(capture.connect_url, capture.connector, dict(capture.config))
    connector.stop(capture.connect_url, capture.connector)


def _publish_lost(
    capture: Capture,
    since: datetime | None,
    progress: Progress,
    snapshot: str,
    *,
    leave_out: bool,
) -> Recovered:
    recovered = Recovered()
    publisher = Publisher(capture.bootstrap)
    with closing(_lost(capture, since, progress, snapshot, recovered)) as lost:
        for topic, spool in lost:
            large = too_large(topic, spool.large_missing(largest()))
            if large and not leave_out:
                raise PublishError(_told(large))
            recovered.too_large += large
            left_out = {each.message_id for each in large}
            rows = (row for row in spool.missing() if row.message_id not in left_out)
            with (
                closing(rows),
                progress(f"rows for {topic}", spool.count_missing() - len(large)) as show,
            ):
                recovered.published.append(publisher.publish(topic, rows, show))
    return recovered


def _told(large: Sequence[TooLarge]) -> str:
    more = f", and {len(large) - 1:,} more are as large" if len(large) > 1 else ""
    return (
        f"{large[0]}, which no broker takes{more}: raise message_bytes in schemas/catalogue.toml above that and run "
        "`make up`, or leave it out with `tailrace connector recover --force`"
    )


def _lost(
    capture: Capture,
    since: datetime | None,
    progress: Progress,
    snapshot: str | None,
    recovered: Recovered,
) -> Generator[tuple[str, Spool]]:
    with open_outboxes(capture.outboxes, snapshot, capture.keys) as outboxes:
        for topic in outboxes.topics():
            with Spool(topic) as spool, TopicReader(capture.bootstrap) as reader:
                comparison = Comparison(reader, topic, spool, Window(since=since), progress)
                comparison.read_topic()
                comparison.compare(outboxes)
                recovered.too_old += comparison.too_old
                missing = spool.count_missing()
                if missing and not reader.topics(topic):
                    recovered.without_topic[topic] = missing
                elif missing:
                    yield topic, spool
