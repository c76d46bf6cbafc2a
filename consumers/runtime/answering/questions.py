"""Reading requests as a member of a consumer group of their own."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from confluent_kafka import Consumer, KafkaException, TopicPartition

from cdc.kafka import PROMPT
from cdc.kafka_record import KafkaRecord, Place
from cdc.logs import FieldLogger
from cdc.speaker import speaker
from cdc.topic_reader import kafka_record
from consumers.runtime.group import remove, unanswered

LOOK_S = 0.1
AT_ONCE = 100
"""Records taken in one look."""
AGAIN_S = 1.0
CHECK_EVERY_S, CHECK_S = 10.0, 2.0
"""How often one that has not joined is checked for whether it finds the broker, and how long that may take."""
FORGET_AGAIN_S = 0.5
SESSION_MS, HEARTBEAT_MS = 10_000, 1_000
COMMIT_EVERY_MS = 1_000
METADATA_AGE_MS = 2_000
"""How soon a topic that is made after the worker has started is known."""

log = FieldLogger(__name__)


class QuestionReader(threading.Thread):
    """Reads topics of requests in its share of the group, and commits how far all were seen to.

    A request that was read and not seen to is read again by whoever has its partition next; it may so be answered
    twice, which the second time nobody waits for.

    Args:
        bootstrap: `host:port` of a broker.
        group: Name of the group.
        client_id: Client id of the member.
        topics: What to read.
        take: Called, from this thread, with what has come.
        between: Called, from this thread, after each look, ten times a second at least.
        most: Most requests that are being seen to at once, `AT_ONCE` or more; the others wait in Kafka.

    Attributes:
        is_member: Whether the group has dealt its partitions out to us, be it none.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        group: str,
        client_id: str,
        topics: Sequence[str],
        take: Callable[[Sequence[KafkaRecord]], None],
        between: Callable[[], None],
        most: int,
    ) -> None:
        super().__init__(name="questions", daemon=True)
        self.is_member = False
        self._member_id = ""
        self._speaker = speaker.get(group)
        self._settings: dict[str, Any] = {
            **PROMPT,
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "client.id": client_id,
            "session.timeout.ms": SESSION_MS,
            "heartbeat.interval.ms": HEARTBEAT_MS,
            # whoever comes or goes stops those partitions alone that change hands
            "partition.assignment.strategy": "cooperative-sticky",
            "auto.offset.reset": "earliest",  # what is too late is dropped
            "enable.auto.offset.store": False,
            "auto.commit.interval.ms": COMMIT_EVERY_MS,
            "topic.metadata.refresh.interval.ms": METADATA_AGE_MS,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
        self._topics = [*topics]
        self._take = take
        self._between = between
        self._room = threading.Semaphore(most)
        self._stopped = threading.Event()
        self._open: dict[Place, dict[int, None]] = {}
        self._ends: dict[Place, int] = {}
        self._done: deque[KafkaRecord] = deque()

    def stop(self) -> None:
        """Leave the group after the look under way."""
        self._stopped.set()

    def done(self, record: KafkaRecord) -> None:
        """Say that a request was seen to; may be called from other threads."""
        self._done.append(record)
        self._room.release()

    def run(self) -> None:
        """Read until stopped."""
        speaker.set(self._speaker)
        while not self._stopped.is_set():
            try:
                self._read()
            except KafkaException as error:
                log.warning("requests cannot be read", error=error, again_in_s=AGAIN_S)
                self._stopped.wait(AGAIN_S)
            except Exception:  # without this thread every question would time out
                log.exception("requests cannot be read", again_in_s=AGAIN_S)
                self._stopped.wait(AGAIN_S)

    def _read(self) -> None:
        consumer = Consumer(self._settings)
        lost = threading.Event()
        checked_at = time.monotonic()
        self._open.clear()
        self._ends.clear()
        try:
            consumer.subscribe(self._topics, on_assign=self._joined, on_lost=lambda *_: lost.set())
            while not (self._stopped.is_set() or lost.is_set()):
                records = _look(consumer)
                if not all(self._wait_for_room() for _ in records):
                    return
                for record in records:
                    place = Place(record.topic, record.partition)
                    self._open.setdefault(place, {})[record.offset] = None
                    self._ends[place] = record.offset + 1
                if records:
                    self._take(records)
                self._note_done(consumer)
                self._between()
                if not self.is_member and time.monotonic() - checked_at > CHECK_EVERY_S:
                    # one that was told of no brokers when it was new stays blind; a member loses its partitions
                    consumer.list_topics(self._topics[0], timeout=CHECK_S)
                    checked_at = time.monotonic()
        finally:
            self.is_member = False
            # One that has lost its partitions waits for commits of before, and in the group for the member that it was,
            # for a minute and more: it may do so without us.
            if lost.is_set():
                threading.Thread(target=consumer.close, name="lost", daemon=True).start()
            else:
                consumer.close()
        if lost.is_set():
            log.warning("the group has given us up, and is joined anew when a broker answers")
            self._forget_member()

    def _forget_member(self) -> None:
        """Take the member that we were out of the group, as soon as there is a broker."""
        bootstrap, group = self._settings["bootstrap.servers"], self._settings["group.id"]
        while not self._stopped.is_set():
            try:
                asyncio.run(remove(bootstrap, group, [self._member_id]))
            except unanswered() as error:
                log.warning(
                    "the group cannot be joined yet", error=repr(error), again_in_s=FORGET_AGAIN_S
                )
                self._stopped.wait(FORGET_AGAIN_S)
            else:
                log.info("removed from the group the member that was lost")
                return

    def _wait_for_room(self) -> bool:
        while not self._room.acquire(timeout=LOOK_S):
            self._between()
            if self._stopped.is_set():
                return False
        return True

    def _note_done(self, consumer: Consumer) -> None:
        moved: set[Place] = set()
        while self._done:
            record = self._done.popleft()
            place = Place(record.topic, record.partition)
            if self._open.get(place, {}).pop(record.offset, self) is None:
                moved.add(place)
        for place in moved:
            position = next(iter(self._open[place]), self._ends[place])
            with suppress(KafkaException):  # the partition has gone to somebody else
                consumer.store_offsets(offsets=[TopicPartition(*place, position)])

    def _joined(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self.is_member = True
        self._member_id = consumer.memberid()
        log.info("requests are read", partitions=len(partitions))


def _look(consumer: Consumer) -> list[KafkaRecord]:
    """Return what has come; KafkaException when nothing will come any more."""
    messages = consumer.consume(1, LOOK_S)
    if messages:
        messages += consumer.consume(AT_ONCE - 1, 0)
    records = []
    for message in messages:
        if error := message.error():
            if error.fatal():
                raise KafkaException(error)
            continue
        place = Place(cast(str, message.topic()), cast(int, message.partition()))
        records.append(kafka_record(place, message))
    return records
