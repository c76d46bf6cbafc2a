"""Which parked messages are meant."""

import re
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal, get_args
from uuid import UUID

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
AGE = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)

LONGEST_AGE = timedelta(days=20 * 365)

Status = Literal["retrying", "dead"]
STATUSES = get_args(Status)
Reason = Literal["failed", "undecodable", "malformed", "unknown_type", "too_old", "behind"]
REASONS = get_args(Reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a parked message must be like; what is None may be anything.

    Args:
        consumer: Its consumer.
        topic: Topic of its record.
        partition: Partition of its record.
        offset: Offset of its record.
        type: Full name of the message.
        key: Record key.
        message_id: Id of the message.
        error: Found in the class or the text of its error, in large or small letters.
        reason: Why it is parked.
        status: Whether its sequence is retried, or waits for somebody to decide.
        older_than: It is parked for longer than this.
        newer_than: It is parked for less than this.
        waiting: It may wait behind another one; otherwise only the first of each sequence is meant.
    """

    consumer: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    type: str | None = None
    key: bytes | None = None
    message_id: UUID | None = None
    error: str | None = None
    reason: str | None = None
    status: Status | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    waiting: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether it leaves nothing out, except what waits."""
        return self == Selection(waiting=self.waiting)

    def parameters(self) -> dict[str, Any]:
        """Return it as parameters of the query."""
        return asdict(self)


def parse_age(text: str) -> timedelta:
    """Read an age such as `45s`, `30m`, `2h`, `3d` or `1w`.

    Raises:
        ValueError: it is none.
    """
    match = AGE.fullmatch(text)
    age = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
    if age is None or age > LONGEST_AGE:
        raise ValueError(f"{text!r} is no age such as 45s, 30m, 2h, 3d or 1w, of at most 20 years")
    return age
