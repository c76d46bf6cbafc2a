"""Rows of outboxes that whoever publishes has passed over, and will never publish: found, and published here.

So it is with rows that were committed while the publication did not carry them, or while they could not be seen. What
is missing in Kafka counts once the publisher has come behind it; before, it may still be on its way.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from cdc.reconciliation import Comparison, Progress, Window, open_outboxes
from cdc.reconciliation.comparison import read_topics
from cdc.reconciliation.report import Kind
from cdc.reconciliation.spool import Spool
from cdc.reconciliation.topic import Publisher as WhoPublishes
from cdc.reconciliation.topic import wait_for_missing
from cdc.recovery.publish import Published, Publisher
from cdc.topic_reader import TopicReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to look."""

    bootstrap: str
    outboxes: Mapping[str, str]  # outbox -> libpq URL of the role that may read it
    publisher: WhoPublishes
    window: Window = field(default_factory=Window)
    patience_s: float  # how long a row is waited for that may be on its way, in seconds


@dataclass(frozen=True, slots=True)
class Gap:
    """Rows for a topic that Kafka lacks."""

    topic: str
    rows: int
    first: str
    # whether the publisher has passed over them; otherwise they may still be on their way
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in outboxes and Kafka as of one moment."""

    gaps: Sequence[Gap]
    newest: (
        datetime | None
    )  # when the last row was written that was looked for; None when there was none


def find_gaps(place: Place, topics: Collection[str], progress: Progress) -> Findings:
    """Return which rows for topics Kafka lacks, topic by topic."""
    with _missing(place, topics, progress) as (spools, newest, is_certain):
        found = [_gap(topic, spool, is_certain=is_certain) for topic, spool in spools.items()]
        return Findings([gap for gap in found if gap is not None], newest)


def fill_gap(place: Place, topic: str, progress: Progress) -> Published | Gap | None:
    """Publish what the publisher of a topic has passed over, in the order in which it was written.

    Returns:
        What was published; None when Kafka lacks nothing; the gap when it is not certain, and nothing was done.

    Raises:
        PublishError: Kafka does not take the rows.
    """
    with _missing(place, [topic], progress) as (spools, _, is_certain):
        spool = spools[topic]
        gap = _gap(topic, spool, is_certain=is_certain)
        if gap is None or not is_certain:
            return gap
        with progress(f"rows for {topic}", gap.rows) as show:
            return Publisher(place.bootstrap).publish(topic, spool.missing(), show)


@contextmanager
def _missing(
    place: Place, topics: Collection[str], progress: Progress
) -> Iterator[tuple[Mapping[str, Spool], datetime | None, bool]]:
    with ExitStack() as stack:
        reader = stack.enter_context(TopicReader(place.bootstrap))
        spools = {topic: stack.enter_context(Spool(topic, beside=len(topics))) for topic in topics}
        comparisons = [
            Comparison(reader, topic, spool, place.window, progress)
            for topic, spool in spools.items()
        ]
        read_topics(comparisons, reader, progress)
        with open_outboxes(place.outboxes) as outboxes:
            holders = outboxes.holders(place.window)
            for each in comparisons:
                each.compare(outboxes, holders.get(each.topic, ()))
            wal_ends = outboxes.wal_ends
        kind = wait_for_missing(comparisons, place.publisher, wal_ends, place.patience_s)
        newest = max((each.newest for each in comparisons if each.newest), default=None)
        yield spools, newest, kind is Kind.MISSING


def _gap(topic: str, spool: Spool, *, is_certain: bool) -> Gap | None:
    first = spool.first_missing()
    return None if first is None else Gap(topic, spool.count_missing(), first, is_certain)
