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
    """A message that something is to be said about."""

    id: str | None  # its id; None for a record without one
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerReport:
    """How a consumer's inbox compares with Kafka."""

    consumer: str
    taken: int
    waiting: int
    ignored: int
    forgotten: int  # messages whose day its inbox does not keep any more, so that it cannot be told
    parked: int  # messages that are put aside just now, those of the inbox included
    skipped: int  # messages that somebody decided to skip, and that the inbox never had
    expired: int  # messages that it has passed and not taken, and that nobody is to act on any more
    missing: int  # messages that it has passed and yet never taken
    named: Sequence[Named] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicReport:
    """How outboxes, a topic and the inboxes of its consumers compare."""

    topic: str
    since: datetime | None  # beginning of the window; None when there is none
    until: datetime | None  # end of the window; None when there is none
    rows: int
    records: int
    counts: Mapping[Kind, int]
    named: Mapping[Kind, Sequence[Named]]
    consumers: Sequence[ConsumerReport] = field(default_factory=tuple)
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not any(self.counts.get(kind) for kind in WRONG) and not any(
            consumer.missing for consumer in self.consumers
        )
