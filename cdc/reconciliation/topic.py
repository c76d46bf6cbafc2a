"""Reconciling one topic from one end to the other, while messages flow."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cdc.reconciliation.comparison import Comparison, Progress
from cdc.reconciliation.consumers import compare_consumer, named
from cdc.reconciliation.inboxes import ConsumerPlace
from cdc.reconciliation.outboxes import Window, open_outboxes
from cdc.reconciliation.report import Kind, TopicReport
from cdc.reconciliation.spool import Spool
from cdc.topic_reader import TopicReader

LOOK_EVERY_S = 0.5
SECOND_LOOK_S = 1.0


class Publisher(Protocol):
    """Whoever brings rows to Kafka, and tells how far it has come."""

    def has_passed(self, wal_ends: Mapping[str, str]) -> bool:
        """Tell whether everything that was committed before these ends of the WAL is published, if it ever will be.

        It is true as well of a publisher that has lost its place: what it has not published, it will not publish.

        Args:
            wal_ends: Outbox -> where the WAL of its server ended.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRequest:
    """What is to be reconciled."""

    topic: str
    bootstrap: str
    outboxes: Mapping[str, str]  # outbox -> libpq URL of the role that may read it
    consumers: Sequence[ConsumerPlace] = ()
    window: Window = field(default_factory=Window)
    patience_s: float = 30.0  # how long a row that is not in Kafka is waited for, in seconds
    limit: int = 20


def reconcile(question: ReconcileRequest, publisher: Publisher, progress: Progress) -> TopicReport:
    """Compare outboxes, a topic and the inboxes of its consumers."""
    begun = time.monotonic()
    with Spool(question.topic) as spool, TopicReader(question.bootstrap) as reader:
        comparison = Comparison(reader, question.topic, spool, question.window, progress)
        comparison.read_topic()
        with open_outboxes(question.outboxes) as outboxes:
            comparison.compare(outboxes)
            wal_ends = outboxes.wal_ends
            comparison.look_for_rows_again(outboxes)
            if spool.counts().get(Kind.PHANTOM):
                time.sleep(SECOND_LOOK_S)
                comparison.look_for_rows_again(outboxes)
        missing = wait_for_missing([comparison], publisher, wal_ends, question.patience_s)
        comparison.check_order()
        consumers = [
            compare_consumer(each, question.topic, reader, spool, question.limit)
            for each in question.consumers
        ]
        spool.find_many(
            (missing, row.message_id.bytes, f"{row.source}, written {row.occurred_at}")
            for row in spool.missing()
        )
        found = spool.counts()
        counts = {kind: found.get(kind, 0) for kind in Kind} | {Kind.TOO_OLD: comparison.too_old}
        return TopicReport(
            topic=question.topic,
            since=comparison.since(),
            until=question.window.until,
            rows=comparison.rows,
            records=comparison.records,
            counts=counts,
            named={kind: named(spool, kind, question.limit) for kind in Kind if counts[kind]},
            consumers=consumers,
            seconds=round(time.monotonic() - begun, 3),
        )


def wait_for_missing(
    comparisons: Iterable[Comparison],
    publisher: Publisher,
    wal_ends: Mapping[str, str],
    patience_s: float,
) -> Kind:
    """Look for missing rows in what Kafka gets, until there are none or no more will come.

    Returns:
        What the rest is: missing for good, or pending because the publisher has not come to it yet.
    """
    deadline = time.monotonic() + patience_s
    short = [each for each in comparisons if each.missing]
    while short:
        # asked before the topics are read on, so that what was published until then is seen
        passed = publisher.has_passed(wal_ends)
        short = [each for each in short if each.read_on()]
        if passed or not short:
            break
        if time.monotonic() > deadline:
            return Kind.PENDING
        time.sleep(LOOK_EVERY_S)
    return Kind.MISSING
