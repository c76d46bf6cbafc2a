"""Handing rows to Kafka, and finding out which of them it does not take."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from cdc import causes
from cdc.envelope import OutboxRow
from cdc.producer_state import ProducerState
from cdc.records import open_producer, record_of, wait_for_answers

FLUSH_S = 0.2
ASK_S = 1.0
UNKNOWN_TOPIC_MS = 1000
"""How long the producer waits for a topic that the broker does not know, before it says so."""
STUCK = "the producer does not give up what it holds"

Because = Literal["topic", "row", "behind"]

Content = tuple[str, bytes, bytes]
"""Topic, key and value, which is what the producer tells of a record that has failed."""

_TOPIC = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 - its public name
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)
_ROW = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError.POLICY_VIOLATION,
    }
)

_SUSPICIOUS = _ROW | {KafkaError._GAPLESS_GUARANTEE}  # noqa: SLF001
"""What all records of a batch are told of which the broker does not take one."""


class DeliveryError(Exception):
    """Kafka has not taken everything; what was not marked is to be published again."""


class Place(NamedTuple):
    """Of whom the order is kept: what comes of it behind a row that is set aside has to wait."""

    outbox: str
    topic: str
    key: str


class Row(NamedTuple):
    """A row and its outbox."""

    outbox: str
    row: OutboxRow

    @property
    def place(self) -> Place:
        return Place(self.outbox, self.row.topic, self.row.aggregate_id)


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not delivered, and must not be handed over again at once."""

    row: Row
    because: Because  # what is wrong: its topic, the row itself, or a row before it
    reason: str = ""  # the cause in a line; empty for a row that only waits behind another


class Deliver(Protocol):
    """A way of delivering rows."""

    def __call__(
        self, rows: Sequence[Row], *, until: Callable[[], float], sign: Callable[[], None]
    ) -> list[Refused]:
        """Hand rows over, and return those that Kafka does not take."""


class Delivery:
    """Takes rows to Kafka in their order. A producer that has failed once is thrown away with all it holds.

    Args:
        delivery_s: How long to wait for the broker; shorter than `message_timeout_s`.
    """

    def __init__(self, bootstrap: str, *, message_timeout_s: float, delivery_s: float) -> None:
        self._bootstrap = bootstrap
        self._message_timeout_s = message_timeout_s
        self._delivery_s = delivery_s
        self._failures: list[tuple[KafkaError, Content]] = []
        self._apart: Producer | None = None
        self._producer = self._open()
        self._state = ProducerState(self._producer)

    def deliver(
        self, rows: Sequence[Row], *, until: Callable[[], float], sign: Callable[[], None]
    ) -> list[Refused]:
        """Hand rows over, and return those that Kafka does not take, once it has all others.

        Args:
            until: Tells when to stop handing over, on the monotonic clock.
            sign: Called again and again meanwhile.

        Raises:
            DeliveryError: Kafka did not answer for too long, or it was too late to hand over more.
        """
        refused: list[Refused] = []
        todo = rows
        while todo:
            unhanded = self._hand_over(todo, until, sign)
            self._wait(sign)
            if not self._failures and not unhanded:
                break
            left = self._left(todo, unhanded)
            self._restart()
            sign()
            suspects = [row for row, error in left if error and error.code() in _SUSPICIOUS]
            if suspects:
                found = self._one_by_one(self._open(alone=True), suspects, until, sign)
                tried = {row.row.id for row in suspects}
                left = [(row, error) for row, error in left if row.row.id not in tried]
                held = {each.row.place for each in found}
                found += [Refused(row, "behind") for row, _ in left if row.place in held]
            else:
                found = _held(left, self._culprits(left))
            sign()
            if not suspects and not found:
                error = next((error for _, error in left if error), None)
                raise DeliveryError(_text(error) if error else "nothing is taken")
            refused += found
            out = {each.row.row.id for each in found}
            todo = [row for row, _ in left if row.row.id not in out]
        return refused

    def deliver_each(
        self, rows: Sequence[Row], *, until: Callable[[], float], sign: Callable[[], None]
    ) -> list[Refused]:
        """Hand over rows that were refused before, and return those that are refused again.

        Each waits for the answer to the one before. Handed over together, every refusal would cost a producer.

        Raises:
            DeliveryError: as `deliver` does.
        """
        if self._apart is None:
            self._apart = self._open(alone=True)
        return self._one_by_one(self._apart, rows, until, sign)

    def faulty_topics(self) -> Callable[[str], str | None]:
        """Ask the broker, and return what tells of a topic why nothing can be delivered to it."""
        known = self._producer.list_topics(timeout=ASK_S).topics

        def fault(topic: str) -> str | None:
            found = known.get(topic)
            if found is None or found.error is not None:
                return f"Kafka has no topic {causes.in_line(topic, 100)}"
            headless = [n for n, each in found.partitions.items() if each.leader < 0]
            if headless:
                return f"nobody leads {topic}/{headless[0]}"
            return None

        return fault

    def drop(self) -> None:
        self._producer.purge()
        wait_for_answers(self._producer, FLUSH_S)

    def _one_by_one(
        self,
        producer: Producer,
        rows: Sequence[Row],
        until: Callable[[], float],
        sign: Callable[[], None],
    ) -> list[Refused]:
        """Deliver rows each by itself, as a broker refuses whole batches; return those that it does not take."""
        refused: list[Refused] = []
        held: set[Place] = set()
        faulty: dict[str, str] = {}
        for row in rows:
            if row.place in held:
                refused.append(Refused(row, "behind"))
                continue
            if (why := faulty.get(row.row.topic)) is not None:
                refused.append(Refused(row, "topic", why))
                continue
            if time.monotonic() > until():
                raise DeliveryError("this relay stood still, and others may have gone on")
            error = self._alone(producer, row)
            sign()
            if error is None:
                continue
            if error.code() in _TOPIC:
                faulty[row.row.topic] = _text(error)
                refused.append(Refused(row, "topic", _text(error)))
            elif error.code() in _ROW:
                size = f"{record_of(row.row).size:,} bytes with key and headers"
                refused.append(Refused(row, "row", f"{_text(error)} ({size})"))
                held.add(row.place)
            else:
                raise DeliveryError(_text(error))
        return refused

    def _alone(self, producer: Producer, row: Row) -> KafkaError | None:
        """Deliver a row, and return why it was not taken; None when the broker has said that it was."""
        record, errors = record_of(row.row), list[KafkaError | None]()
        try:
            producer.produce(
                record.topic,
                record.value,
                record.key,
                headers=list(record.headers),
                on_delivery=lambda error, _: errors.append(error),
            )
        except KafkaException as error:
            refusal: KafkaError = error.args[0]
            return refusal
        if wait_for_answers(producer, self._delivery_s):
            producer.purge()
            wait_for_answers(producer, FLUSH_S)
        if not errors:
            raise DeliveryError(STUCK)
        return errors[-1]

    def _open(self, *, alone: bool = False) -> Producer:
        shared: dict[str, Any] = {
            "message.timeout.ms": int(self._message_timeout_s * 1000),
            "topic.metadata.propagation.max.ms": UNKNOWN_TOPIC_MS,
        }
        if alone:
            return open_producer(self._bootstrap, **shared)
        return open_producer(
            self._bootstrap,
            **shared
            | {
                # a record that fails ends everything, so that no later one of its key overtakes it
                "enable.gapless.guarantee": True,
                "delivery.report.only.error": True,
                "on_delivery": self._on_failure,
            },
        )

    def _restart(self) -> None:
        self.drop()
        self._producer, self._failures = self._open(), []
        self._state = ProducerState(self._producer)

    def _hand_over(
        self, rows: Sequence[Row], until: Callable[[], float], sign: Callable[[], None]
    ) -> int:
        producer, clock = self._producer, time.monotonic
        for number, (_, row) in enumerate(rows):
            record = record_of(row)
            is_first = self._state.is_first(record.topic, record.key)
            while True:
                if clock() > until():
                    self.drop()
                    raise DeliveryError("this relay stood still, and others may have gone on")
                try:
                    producer.produce(
                        record.topic, record.value, record.key, headers=list(record.headers)
                    )
                    break
                except BufferError:
                    wait_for_answers(self._producer, 0.05)
                except KafkaException as error:
                    content = (record.topic, record.key, record.value)
                    self._failures.append((error.args[0], content))
                    return len(rows) - number
            if is_first:
                self._wait(sign)
            if self._failures:
                return len(rows) - number - 1
        return 0

    def _wait(self, sign: Callable[[], None]) -> None:
        """Wait until all that was handed over is delivered, or something has failed, or it takes too long."""
        begun_at = time.monotonic()
        while wait_for_answers(self._producer, FLUSH_S):
            if self._failures or time.monotonic() - begun_at > self._delivery_s:
                # reports whatever is left as a failure
                self._producer.purge()
                if wait_for_answers(self._producer, ASK_S):
                    raise DeliveryError(STUCK)
                break
            sign()

    def _left(self, rows: Sequence[Row], unhanded: int) -> list[tuple[Row, KafkaError | None]]:
        """Return the rows that were not delivered, in their order, each with its error if it was tried.

        Failures tell topic, key and value. Among rows that are alike in these, the last ones have failed.
        """
        handed = len(rows) - unhanded
        errors: dict[Content, list[KafkaError]] = defaultdict(list)
        for error, content in self._failures:
            errors[content].append(error)
        alike = Counter(map(_content, rows[:handed]))
        seen: Counter[Content] = Counter()
        left: list[tuple[Row, KafkaError | None]] = []
        for number, row in enumerate(rows):
            content = _content(row)
            failed = errors.get(content, [])
            first = alike[content] - len(failed)
            if number >= handed:
                # the first of those that were not handed over is the one that was refused, if one was
                left.append((row, failed[-1] if failed and number == handed else None))
            elif seen[content] >= first:
                left.append((row, failed[max(0, seen[content] - first)]))
            seen[content] += 1
        return left

    def _culprits(self, left: Sequence[tuple[Row, KafkaError | None]]) -> dict[str, str]:
        """Return topics that nothing can be delivered to, and why; none when all of Kafka is at fault."""
        found: dict[str, str] = {}
        for row, error in left:
            if error is not None and error.code() in _TOPIC:
                found.setdefault(row.row.topic, _text(error))
        if found:
            return found
        try:
            fault = self.faulty_topics()
        except KafkaException:
            return {}
        for row, _ in left:
            if (why := fault(row.row.topic)) is not None:
                found.setdefault(row.row.topic, why)
        return found

    def _on_failure(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            content = (message.topic() or "", _bytes(message.key()), _bytes(message.value()))
            self._failures.append((error, content))


def _bytes(value: Any) -> bytes:
    return bytes(value or b"")


def _content(row: Row) -> Content:
    return row.row.topic, row.row.aggregate_id.encode(), bytes(row.row.payload)


def _held(
    left: Sequence[tuple[Row, KafkaError | None]], topics: Mapping[str, str]
) -> list[Refused]:
    return [
        Refused(row, "topic", topics[row.row.topic]) for row, _ in left if row.row.topic in topics
    ]


def _text(error: KafkaError) -> str:
    return causes.of_error(KafkaException(error)).text
