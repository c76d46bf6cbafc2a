"""Reading a topic from one end to the other, both of which are known before reading begins."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    ConfigResource,
    ResourceType,
)

from cdc.topics import TopicError

TIMEOUT_S = 30.0
POLL_S = 0.05  # also how long a batch that does not fill is waited for
BATCH = 2000
CLOCK_SLACK = timedelta(minutes=5)
"""A record may be dated so much before the row that it comes from was written, by another machine's clock."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be read of a partition."""

    partition: int
    # offset of the oldest record that Kafka keeps, or of the next one when it keeps none
    begin: int
    start: int
    end: int


class TopicReader:
    """Reads one topic without belonging to a consumer group; a context manager."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "reconciliation",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,  # nothing is waited for that does not lie there already
                # what is fetched ahead lies in memory
                "queued.min.messages": 10_000,
                "queued.max.messages.kbytes": 4096,
                "fetch.max.bytes": 4 * 2**20,
                "fetch.queue.backoff.ms": 10,  # look again soon whether there is room
                "log_level": 0,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def spans(self, since: datetime | None = None) -> list[Span]:
        """Return what there is to read of each partition as things stand, which is nothing when there is no topic.

        Args:
            since: Leave out what was surely recorded before; None to begin with the oldest record.
        """
        try:
            partitions = self._partitions()
            starts = self._starts(partitions, since) if since and partitions else {}
            return [self._span(partition, starts.get(partition)) for partition in partitions]
        except KafkaException as error:
            raise self._unavailable(error) from error

    def ends(self) -> dict[int, int]:
        """Return partition -> offset of the next record, as things stand."""
        return {span.partition: span.end for span in self.spans()}

    def read(self, spans: Sequence[Span]) -> Iterator[list[Message]]:
        """Yield the records of partitions in batches, those of a partition in their order."""
        ends = {span.partition: span.end for span in spans if span.start < span.end}
        self._consumer.assign(
            [TopicPartition(self._topic, s.partition, s.start) for s in spans if s.start < s.end]
        )
        deadline = time.monotonic() + TIMEOUT_S
        try:
            while ends:
                messages = self._consumer.consume(BATCH, POLL_S)
                if messages:
                    deadline = time.monotonic() + TIMEOUT_S
                elif time.monotonic() > deadline:
                    raise TopicError(
                        f"Kafka at {self._bootstrap} has not gone on with {self._topic} for {TIMEOUT_S:g} s; "
                        "see `tailrace status`"
                    )
                if records := list(_wanted(messages, ends)):
                    yield records
        except KafkaException as error:
            raise self._unavailable(error) from error
        finally:
            self._consumer.unassign()

    def retention(self) -> timedelta | None:
        """Return how long the topic keeps a record at least; None when that is for ever or not known."""
        resource = ConfigResource(ResourceType.TOPIC, self._topic)
        try:
            admin = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})
            [answer] = admin.describe_configs([resource], request_timeout=TIMEOUT_S).values()
            milliseconds = int(answer.result()["retention.ms"].value)
        except KafkaException as error:
            raise self._unavailable(error) from error
        return None if milliseconds < 0 else timedelta(milliseconds=milliseconds)

    def topic_id(self) -> str | None:
        """Return what tells the topic from another one that had its name; None when there is no topic."""
        admin = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})
        asked = TopicCollection([self._topic])
        [answer] = admin.describe_topics(asked, request_timeout=TIMEOUT_S).values()
        try:
            return str(answer.result().topic_id)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise self._unavailable(error) from error

    def _partitions(self) -> list[int]:
        topic = self._consumer.list_topics(self._topic, timeout=TIMEOUT_S).topics[self._topic]
        if topic.error is None:
            return sorted(topic.partitions)
        if topic.error.code() in {
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - its public name
        }:
            return []
        raise KafkaException(topic.error)

    def _starts(self, partitions: Sequence[int], since: datetime) -> Mapping[int, int]:
        moment = max(0, int((since - CLOCK_SLACK).timestamp() * 1000))
        asked = [TopicPartition(self._topic, partition, moment) for partition in partitions]
        found = self._consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
        return {place.partition: place.offset for place in found}

    def _span(self, partition: int, start: int | None) -> Span:
        place = TopicPartition(self._topic, partition)
        begin, end = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
        if start is None:
            return Span(partition, begin, begin, end)
        # a negative offset stands for the end: nothing is as young as that
        return Span(partition, begin, min(max(start, begin), end) if start >= 0 else end, end)

    def _unavailable(self, error: KafkaException) -> TopicError:
        return TopicError(
            f"Kafka at {self._bootstrap} cannot be asked for {self._topic}: {error}; see `tailrace status`"
        )


def _wanted(messages: Sequence[Message], ends: dict[int, int]) -> Iterator[Message]:
    for message in messages:
        partition, error = message.partition() or 0, message.error()
        if error is None:
            offset, end = message.offset() or 0, ends.get(partition, 0)
            if offset < end:
                yield message
            if offset >= end - 1:
                ends.pop(partition, None)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            ends.pop(partition, None)
        elif not error.retriable():
            raise KafkaException(error)


def recorded_at(message: Message) -> datetime:
    """Return when a record was dated by the producer or the broker."""
    return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    headers: Any = message.headers()  # values are bytes, whatever the stubs allow
    return headers or []
