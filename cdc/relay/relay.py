"""The relay at work: reading outboxes, handing their rows to Kafka, marking what was delivered."""

import contextlib
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Self

import psycopg
from confluent_kafka import KafkaException

from cdc import causes
from cdc.logs import FieldLogger
from cdc.relay.aside import Aside
from cdc.relay.delivery import Deliver, Delivery, DeliveryError, Refused, Row
from cdc.relay.lease import SeatLostError, ShardLease
from cdc.relay.progress import Progress, groups
from cdc.relay.settings import RelaySettings
from cdc.relay.tail import Chunk, Tail

MARK_EVERY_S = 0.1
"""Progress is written so often; what came after the last time is published again when the relay dies."""
LOOK_S = 0.05
"""How long to wait for one outbox without a look at the others."""
PAUSE_S = 0.5
GATHER_S = 0.005
"""How soon after the last reading of an outbox the next one begins, so that what is committed meanwhile is published
together; where commits are further apart than this, none waits.
"""

log = FieldLogger(__name__)


@dataclass(slots=True)
class RelayStatus:
    """How a relay is, for whoever asks."""

    holder: str
    relays: int = 0
    shards: list[int] = field(default_factory=list)
    total: int = 0
    published: int = 0
    aside: int = 0  # keys of which rows are set aside, because Kafka refuses them
    problem: str | None = "has not begun"  # why it cannot work; None while it does


class Relay:
    """Publishes what is committed to the outboxes, together with other relays, until it is stopped."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self.condition = RelayStatus(_name())

    def run(self, stopped: threading.Event) -> None:
        """Work until told to stop. Whatever goes wrong is logged, and the work begun anew where progress was marked."""
        while not stopped.is_set():
            try:
                self._serve(stopped)
            except (psycopg.Error, KafkaException, SeatLostError, DeliveryError) as error:
                problem = str(causes.of_error(error))
                if problem != self.condition.problem:
                    log.warning("begins anew", because=problem)
                self.condition.problem = problem
                stopped.wait(PAUSE_S)

    def _serve(self, stopped: threading.Event) -> None:
        settings = self._settings
        # under the name of a seat that was lost with its session, nothing would be new to us, and nothing read
        self.condition.holder = _name()
        with ExitStack() as stack:
            seat = stack.enter_context(ShardLease.open(settings, self.condition.holder))
            delivery = Delivery(
                settings.kafka_bootstrap,
                message_timeout_s=settings.message_timeout_s,
                delivery_s=settings.delivery_s,
            )
            work = stack.enter_context(Work(settings, seat, delivery, self.condition))
            # first of all to happen at the end: nothing may leave once the shards are given back
            stack.callback(delivery.drop)
            work.balance()
            while not stopped.is_set():
                work.go_on()
            work.mark()


def _name() -> str:
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"


class Work:
    """What a relay does while it has its seat."""

    def __init__(
        self, settings: RelaySettings, seat: ShardLease, delivery: Delivery, condition: RelayStatus
    ) -> None:
        self._settings = settings
        self._seat = seat
        self._delivery = delivery
        self._condition = condition
        self._aside = Aside(seat)
        self._readers: dict[str, Reader] = {}
        self._resources = ExitStack()
        self._marked_at = self._looked_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for reader in self._readers.values():
            reader.leave_off()
        self._resources.close()

    def go_on(self) -> None:
        """Publish what has been read, or wait for something to read."""
        if self._seat.is_sign_due():
            self.balance()
        if self._aside.is_due():
            self._try_again()
        for reader in self._readers.values():
            reader.begin(self._seat.total)
        reading = {reader.future: reader for reader in self._readers.values() if reader.future}
        if not reading:
            self._idle()
            return
        read, _ = wait(reading, timeout=LOOK_S, return_when=FIRST_COMPLETED)
        self._publish([(reading[future], future.result()) for future in read])
        self._listen(0)

    def balance(self) -> None:
        """Give up what others should have, take what is ours to take."""
        surplus = self._seat.sign()
        if surplus:
            self._rest()
            self._seat.give_back(surplus)
            for reader in self._readers.values():
                reader.forget(surplus)
        if learnt := self._seat.take():
            self._rest()
            for outbox, progress in learnt.items():
                self._reader(outbox).learn(progress)
        if surplus or learnt:
            self._aside.learn()
        condition, held = self._condition, list(self._seat.shards)
        if (held, self._seat.relays) != (condition.shards, condition.relays):
            log.info("shards held", shards=held, of=self._seat.total, relays=self._seat.relays)
        condition.shards, condition.relays = held, self._seat.relays
        condition.total, condition.problem = self._seat.total, None

    def mark(self) -> None:
        for outbox, reader in self._readers.items():
            for progress, shards in groups(reader.unmarked()):
                self._seat.mark(outbox, shards, progress)
            reader.marked()
        self._marked_at = time.monotonic()

    def _publish(self, read: list[tuple["Reader", Chunk]]) -> None:
        rows: list[Row] = []
        refused: list[Refused] = []
        for reader, chunk in read:
            good, bad = self._aside.sort(chunk.outbox, chunk.rows)
            rows += good
            refused += bad
            reader.go_on(chunk)
        if rows:
            refused += self._deliver(rows, self._delivery.deliver)
        self._set_aside(refused)
        for reader, chunk in read:
            reader.reach(chunk)
        if time.monotonic() - self._marked_at > MARK_EVERY_S:
            self.mark()

    def _deliver(self, rows: list[Row], deliver: Deliver) -> list[Refused]:
        refused = deliver(rows, until=lambda: self._seat.deadline, sign=self._seat.touch)
        self._condition.published += len(rows) - len(refused)
        return refused

    def _set_aside(self, refused: list[Refused]) -> None:
        for each in refused:
            if each.because == "row" or each.row.row.topic not in self._aside.topics():
                log.warning(
                    "row set aside", outbox=each.row.outbox, id=each.row.row.id, because=each.reason
                )
        self._aside.put(refused)
        self._condition.aside = len(self._aside)

    def _try_again(self) -> None:
        """Try what is set aside, unless its topic is known to be still at fault."""
        self._aside.learn()
        fault = self._delivery.faulty_topics()
        topics = [topic for topic in self._aside.topics() if not fault(topic)]
        if firsts := self._aside.firsts(topics):
            self._aside.tried(firsts, self._deliver(firsts, self._delivery.deliver_each))
        elif rows := self._aside.behind(topics):
            self._aside.tried(rows, self._deliver(rows, self._delivery.deliver))
        self._condition.aside = len(self._aside)

    def _idle(self) -> None:
        unmarked = any(reader.has_published for reader in self._readers.values())
        if unmarked and time.monotonic() - self._marked_at > MARK_EVERY_S:
            self.mark()
            unmarked = False
        patience = min(self._settings.relay_poll_s, self._settings.sign_s)
        until_due_s = [reader.due_in_s for reader in self._readers.values()]
        self._listen(min([MARK_EVERY_S if unmarked else patience, *until_due_s]))

    def _listen(self, timeout_s: float) -> None:
        for outbox in self._seat.notified(timeout_s):
            if outbox in self._readers:
                self._readers[outbox].is_wanted = True
        if time.monotonic() - self._looked_at > self._settings.relay_poll_s:
            self._looked_at = time.monotonic()
            for reader in self._readers.values():
                reader.is_wanted = True

    def _rest(self) -> None:
        """Leave off reading, with everything marked, so that shards may change hands."""
        for reader in self._readers.values():
            reader.leave_off()
        self.mark()

    def _reader(self, outbox: str) -> "Reader":
        if outbox not in self._readers:
            tail = self._resources.enter_context(
                Tail.open(
                    outbox,
                    self._settings.database_url,
                    idle_s=self._settings.relay_takeover_s,
                )
            )
            # a thread each: one may wait for a backlog to be sorted while others go on
            thread = self._resources.enter_context(ThreadPoolExecutor(1, f"read {outbox}"))
            self._readers[outbox] = Reader(tail, thread)
        return self._readers[outbox]


class Reader:
    """Reads an outbox in a thread, one chunk ahead of what is being delivered."""

    def __init__(self, tail: Tail, thread: Executor) -> None:
        self._tail = tail
        self._thread = thread
        self._chunks: Generator[Chunk] | None = None
        self._reached: dict[int, Progress] = {}
        self._unmarked: set[int] = set()
        self._begun_at = 0.0
        self.future: Future[Chunk] | None = None
        self.is_wanted = True
        """There may be something new."""
        self.has_published = False
        """Rows were delivered that are not marked."""

    @property
    def due_in_s(self) -> float:
        """How long it is until the next reading begins; infinite when there is nothing to read, or it is being read."""
        if not self.is_wanted or self._chunks is not None or not self._reached:
            return math.inf
        return max(0.0, self._begun_at + GATHER_S - time.monotonic())

    def begin(self, total: int) -> None:
        """Begin to read when that is due."""
        if not self.due_in_s:
            self.is_wanted = False
            self._begun_at = time.monotonic()
            self._chunks = self._tail.read(groups(self._reached), total)
            self._next()

    def go_on(self, chunk: Chunk) -> None:
        """Read what comes after a chunk while that is being delivered."""
        self.future = None
        if chunk.is_last:
            self._close()
        else:
            self._next()

    def reach(self, chunk: Chunk) -> None:
        for shard in chunk.shards:
            self._reached[shard] = chunk.progress
        self._unmarked.update(chunk.shards)
        self.has_published |= bool(chunk.rows)

    def unmarked(self) -> dict[int, Progress]:
        return {shard: self._reached[shard] for shard in self._unmarked}

    def marked(self) -> None:
        self._unmarked.clear()
        self.has_published = False

    def learn(self, shards: dict[int, Progress]) -> None:
        self._reached |= shards
        self.is_wanted = True

    def forget(self, shards: Iterable[int]) -> None:
        for shard in shards:
            self._reached.pop(shard, None)

    def leave_off(self) -> None:
        """Forget what was read and not delivered."""
        if self.future is not None:
            self._tail.cancel()
            wait([self.future])
            self.future = None
        self._close()
        self.is_wanted = True

    def _close(self) -> None:
        if self._chunks is not None:
            with contextlib.suppress(psycopg.Error):
                self._chunks.close()
            self._chunks = None

    def _next(self) -> None:
        if self._chunks is not None:
            self.future = self._thread.submit(next, self._chunks)
