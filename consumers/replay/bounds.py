"""Where a replay begins and ends: a moment, or offsets of partitions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consumers.replay.errors import ChoiceError
from consumers.runtime.parked.selection import AGE, parse_age

FIRST_YEAR, LAST_YEAR = 1971, 2999
OFFSET = re.compile(r"(\d{1,9}):(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range; with neither a time nor offsets it is open."""

    time: datetime | None = None
    # partition -> offset; of partitions that are not named nothing is meant
    offsets: Mapping[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.time is not None or bool(self.offsets)

    def __str__(self) -> str:
        if self.time is not None:
            return self.time.astimezone().isoformat(" ", "seconds")
        return ", ".join(f"{partition}:{offset}" for partition, offset in self.offsets.items())

    @classmethod
    def parse(cls, texts: Sequence[str], now: datetime) -> "Bound":
        """Read one end of a range.

        Args:
            texts: A moment such as `2026-11-23T10:00`, in local time where it has no zone; or an age such as `2h`; or
                any number of offsets such as `3:1200`, each of another partition.

        Raises:
            ValueError: it is none of these.
        """
        offsets = [OFFSET.fullmatch(text) for text in texts]
        if texts and all(offsets):
            pairs = [(int(match[1]), int(match[2])) for match in offsets if match]
            if len(dict(pairs)) < len(pairs):
                raise ValueError("a partition is named twice")
            return cls(offsets=dict(pairs))
        if len(texts) > 1:
            raise ValueError(
                "a range has one time at each end, or offsets as partition:offset, not both"
            )
        if not texts:
            return cls()
        try:
            return cls(parse_moment(texts[0], now))
        except ValueError as error:
            raise ValueError(f"{error}, nor an offset such as 3:1200") from None

    def as_json(self) -> dict[str, object] | None:
        if self.time is not None:
            return {"time": self.time.isoformat()}
        offsets = {str(partition): offset for partition, offset in self.offsets.items()}
        return {"offsets": offsets} if offsets else None


def require_order(start: Bound, end: Bound) -> None:
    """Refuse a range of time that ends before it begins."""
    if start.time and end.time and start.time >= end.time:
        raise ChoiceError(f"the range ends at {end}, before it begins at {start}")


def parse_moment(text: str, now: datetime) -> datetime:
    """Return a moment with its zone, in a year that Kafka, Postgres and every time zone can express.

    Args:
        text: ISO 8601, in local time where it names no zone; or how long ago, such as `90m`.

    Raises:
        ValueError: it is neither, or in another year.
    """
    try:
        moment = now - parse_age(text) if AGE.fullmatch(text) else datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a time such as 2026-11-23T10:00, nor an age such as 2h"
        ) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{text!r} is not from {FIRST_YEAR} to {LAST_YEAR}")
    return moment.astimezone() if moment.tzinfo is None else moment
