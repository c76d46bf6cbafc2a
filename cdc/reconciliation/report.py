"""What a reconciliation found, and how much it compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """Sorts of findings. `PENDING`, `DUPLICATED`, `TOO_OLD` and `PRUNED` are information, and nothing is wrong."""

    MISSING = "missing"
    PENDING = "pending"
    TOO_OLD = "too_old"
    PHANTOM = "phantom"
    PRUNED = "pruned"
    FOREIGN = "foreign"
    DUPLICATED = "duplicated"
    DIFFERENT = "different"
    DISORDERED = "disordered"


WRONG = (Kind.MISSING, Kind.PHANTOM, Kind.FOREIGN, Kind.DIFFERENT, Kind.DISORDERED)


@dataclass(frozen=True, slots=True)
class Named:
    """A message that something is to be said about.

    Args:
        id: Its id; None for a record without one.
        detail: What is to be said.
    """

    id: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerReport:
    """How a consumer's inbox compares with Kafka.

    Args:
        consumer: Its name.
        taken: Messages that its inbox has.
        waiting: Messages that lie before it.
        ignored: Messages of types that it does not take.
        forgotten: Messages whose day its inbox does not keep any more, so that it cannot be told.
        parked: Messages that are put aside just now, those of the inbox included.
        skipped: Messages that somebody decided to skip, and that the inbox never had.
        missing: Messages that it has passed and yet never taken.
        named: The first of those that are missing.
    """

    consumer: str
    taken: int
    waiting: int
    ignored: int
    forgotten: int
    parked: int
    skipped: int
    missing: int
    named: Sequence[Named] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicReport:
    """How outboxes, a topic and the inboxes of its consumers compare.

    Args:
        topic: The topic.
        since: Beginning of the window; None when there is none.
        until: End of the window; None when there is none.
        rows: Rows of outboxes that were compared.
        records: Records of Kafka that were compared, copies included.
        counts: How many findings there are of each kind.
        named: The first findings of each kind.
        consumers: Its consumers.
        seconds: How long it took.
    """

    topic: str
    since: datetime | None
    until: datetime | None
    rows: int
    records: int
    counts: Mapping[Kind, int]
    named: Mapping[Kind, Sequence[Named]]
    consumers: Sequence[ConsumerReport] = field(default_factory=tuple)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.counts.get(kind) for kind in WRONG) and not any(
            consumer.missing for consumer in self.consumers
        )
