"""Laying what consumers must have taken beside what their inboxes hold."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cdc.reconciliation.inboxes import ConsumerPlace, Inbox, open_inbox
from cdc.reconciliation.report import ConsumerReport, Named
from cdc.reconciliation.spool import Spool
from cdc.topic_reader import TopicReader

BATCH = 1000


def compare_consumer(
    consumer: ConsumerPlace,
    topic: str,
    reader: TopicReader,
    spool: Spool,
    limit: int,
) -> ConsumerReport:
    """Return how a consumer's inbox compares with the records that were read of a topic.

    Args:
        reader: Tells of the topic as it is now. A position of one that was deleted, or beyond the end, means nothing.
    """
    kind = f"untaken by {consumer.name}"
    with open_inbox(consumer, topic) as inbox:
        now = reader.topics(topic).get(topic)
        positions = inbox.positions(now.topic_id if now else None)
        # asked afterwards, as a position may follow the end
        ends = {place.partition: each.end for place, each in reader.bounds_now(topic).items()}
        positions = {p: position for p, position in positions.items() if position <= ends.get(p, 0)}
        spool.look_at_consumer(positions, consumer.types)
        first_id, parked = inbox.first_id(), inbox.parked()
        taken = forgotten = 0
        decided: Counter[str] = Counter()
        untaken: list[bytes] = []
        now_is = datetime.now(UTC)

        def decide() -> None:
            skipped = inbox.skipped(untaken)
            rest = [each for each in untaken if each not in skipped]
            missing = [each for each in rest if not spool.has_expired(each, now_is)]
            spool.find_many((kind, each, "its position has passed it") for each in missing)
            decided["skipped"] += len(skipped)
            decided["expired"] += len(rest) - len(missing)
            untaken.clear()

        for message_id, is_taken in _with_taken(spool.due(), inbox):
            if is_taken:
                taken += 1
            elif message_id in parked:
                pass
            elif message_id < first_id:
                forgotten += 1
            else:
                untaken.append(message_id)
                if len(untaken) >= BATCH:
                    decide()
        decide()
    return ConsumerReport(
        consumer=consumer.name,
        taken=taken,
        waiting=spool.waiting(),
        ignored=spool.ignored(),
        forgotten=forgotten,
        parked=len(parked),
        skipped=decided["skipped"],
        expired=decided["expired"],
        missing=spool.counts().get(kind, 0),
        named=named(spool, kind, limit),
    )


def named(spool: Spool, kind: str, limit: int) -> Sequence[Named]:
    return [Named(*each) for each in spool.findings(kind, limit)]


def _with_taken(due: Iterator[bytes], inbox: Inbox) -> Iterator[tuple[bytes, bool]]:
    """Yield each id that is due, and whether the inbox has it; both are read once, in the order of ids."""
    first = next(due, None)
    if first is None:
        return
    taken = inbox.taken(first, b"\xff" * 16)
    held = next(taken, None)
    message_id: bytes | None = first
    while message_id is not None:
        while held is not None and held < message_id:
            held = next(taken, None)
        yield message_id, held == message_id
        message_id = next(due, None)
