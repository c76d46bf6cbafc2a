"""Rows that Kafka refuses, kept beside the outboxes: tried again in their order, while everything else goes on."""

import time
from collections.abc import Collection, Sequence

from cdc.bounds import largest
from cdc.envelope import OutboxRow
from cdc.relay.delivery import Place, Refused, Row
from cdc.relay.lease import ShardLease

TRY_EVERY_S = 2.0
AT_ONCE = 100
"""Rows that are tried again together; each may have a megabyte."""


class Aside:
    """What is set aside of the shards that a relay holds.

    All of it goes over the session of the seat, so that a relay which has lost its shards changes nothing any more.
    """

    def __init__(self, seat: ShardLease) -> None:
        self._seat = seat
        self._places: set[Place] = set()
        self._topics: set[str] = set()
        self._due_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._places)

    def learn(self) -> None:
        """Read what is set aside, as when shards were taken or somebody has acted on it."""
        found = self._seat.query("aside", shards=list(self._seat.shards))
        self._places = {Place(*place) for *place, _ in found}
        self._topics = {topic for _, topic, _, is_at_fault in found if is_at_fault}

    def sort(self, outbox: str, rows: Sequence[OutboxRow]) -> tuple[list[Row], list[Refused]]:
        """Return the rows to be delivered, and those that must not be."""
        most = largest()
        if not self._places and all(len(row.payload) <= most for row in rows):
            return [Row(outbox, row) for row in rows], []
        good: list[Row] = []
        bad: list[Refused] = []
        for each in rows:
            row = Row(outbox, each)
            if each.topic in self._topics or row.place in self._places:
                bad.append(Refused(row, "behind"))
            elif len(each.payload) > most:
                reason = f"the message has {len(each.payload):,} bytes, and no broker takes as many"
                bad.append(Refused(row, "row", reason))
                self._places.add(row.place)
            else:
                good.append(row)
        return good, bad

    def put(self, refused: Sequence[Refused]) -> None:
        """Set rows aside; from then on they count as published."""
        if not refused:
            return
        total = self._seat.total
        self._seat.query_many(
            "set_aside",
            [
                each.row.row._asdict()
                | {"outbox": each.row.outbox, "because": each.because, "reason": each.reason}
                | {"total": total}
                for each in refused
            ],
        )
        self._places |= {each.row.place for each in refused}
        self._topics |= {each.row.row.topic for each in refused if each.because == "topic"}

    def is_due(self) -> bool:
        if not self._places or time.monotonic() < self._due_at:
            return False
        self._due_at = time.monotonic() + TRY_EVERY_S
        return True

    def topics(self) -> Collection[str]:
        return {place.topic for place in self._places}

    def first(self, topics: Collection[str]) -> list[Row]:
        """Return rows of topics, of each key those that nothing stands before that could not be delivered anyway."""
        if not topics:
            return []
        found = self._seat.query(
            "aside_first",
            shards=list(self._seat.shards),
            topics=list(topics),
            largest=largest(),
            limit=AT_ONCE,
        )
        if len(found) == AT_ONCE:
            self._due_at = time.monotonic()
        return [Row(outbox, OutboxRow(*row)) for outbox, *row in found]

    def delivered(self, rows: Sequence[Row]) -> None:
        if rows:
            outboxes, numbers = [row.outbox for row in rows], [row.row.seq for row in rows]
            self._seat.query("forget_aside", outboxes=outboxes, numbers=numbers)
        self.learn()
