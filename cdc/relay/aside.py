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
BEGINNING = ("", 0)


class Aside:
    """What is set aside of the shards that a relay holds.

    It is tried again in rounds, each of which tries the first row of every key: `AT_ONCE` of them every two seconds, so
    that those which are refused again keep nobody from being tried. Once the first row of a key was taken, those behind
    it follow at once.

    All of it goes over the session of the seat, so that a relay which has lost its shards changes nothing any more.
    """

    def __init__(self, seat: ShardLease) -> None:
        self._seat = seat
        self._places: set[Place] = set()
        self._topics: set[str] = set()
        self._firsts: list[tuple[tuple[str, int], str]] = []  # outbox and number, topic
        self._tried_to = BEGINNING
        self._freed: set[Place] = set()  # keys whose first row was taken
        self._goes_on = False  # some were taken the last time
        self._due_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._places)

    def learn(self) -> None:
        """Read what is set aside, as when shards were taken or somebody has acted on it."""
        found = self._seat.query("aside", shards=list(self._seat.shards), largest=largest())
        self._places = {Place(*place) for *place, _, _ in found}
        self._topics = {topic for _, topic, _, is_at_fault, _ in found if is_at_fault}
        self._firsts = sorted(
            ((outbox, first), topic) for outbox, topic, _, _, first in found if first is not None
        )

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
        goes_on = self._goes_on or bool(self._freed)
        return bool(self._places) and (goes_on or time.monotonic() >= self._due_at)

    def topics(self) -> Collection[str]:
        return {place.topic for place in self._places}

    def firsts(self, topics: Collection[str]) -> list[Row]:
        """Return the first rows of keys whose turn in the round it is, if it is time for them.

        Args:
            topics: Of which they may be.
        """
        is_round_over, now = self._tried_to == BEGINNING, time.monotonic()
        if now < self._due_at and (is_round_over or self._freed):
            return []
        self._goes_on = False
        self._due_at = now + TRY_EVERY_S
        left = [at for at, topic in self._firsts if at > self._tried_to and topic in topics]
        found = left[:AT_ONCE]
        self._tried_to = found[-1] if len(left) > AT_ONCE else BEGINNING
        return self._rows(
            "aside_first",
            outboxes=[outbox for outbox, _ in found],
            numbers=[number for _, number in found],
        )

    def behind(self, topics: Collection[str]) -> list[Row]:
        """Return rows of keys whose first row was taken.

        Args:
            topics: Of which they may be.
        """
        self._goes_on = False
        freed = [place for place in self._freed & self._places if place.topic in topics]
        found = self._rows(
            "aside_next",
            outboxes=[place.outbox for place in freed],
            topics=[place.topic for place in freed],
            keys=[place.key for place in freed],
            largest=largest(),
            limit=AT_ONCE,
        )
        if not found:
            self._freed.clear()
        return found

    def tried(self, rows: Sequence[Row], refused: Sequence[Refused]) -> None:
        """Forget what was taken of the rows that were tried; only after such a one others are tried at once."""
        taken = set(rows).difference(each.row for each in refused)
        self._freed |= {row.place for row in taken}
        self._freed -= {each.row.place for each in refused}
        if taken:
            outboxes, numbers = [row.outbox for row in taken], [row.row.seq for row in taken]
            self._seat.query("forget_aside", outboxes=outboxes, numbers=numbers)
            self._goes_on = True
        self.learn()

    def _rows(self, query: str, **values: object) -> list[Row]:
        found = self._seat.query(query, **values)
        return [Row(outbox, OutboxRow(*row)) for outbox, *row in found]
