"""Parked messages, and what was done about them, as people are shown them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Self
from uuid import UUID

from cdc.kafka_record import Headers
from consumers.runtime.parked.selection import Status

State = Literal["dead", "retrying", "waiting"]

PLACE = re.compile(r"([^/]+)/(\d{1,9})/(\d{1,18})", re.ASCII)

HEX = "\\x"
"""Begins the text of a key that is no text itself, as Postgres writes it."""


class RecordPosition(NamedTuple):
    """Where a record lies in Kafka."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `topic/partition/offset`.

        Raises:
            ValueError: it is none.
        """
        match = PLACE.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{text!r} is no place such as order.events/3/17: topic/partition/offset"
            )
        return cls(match[1], int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A parked message, without its content.

    Args:
        parked_id: Its identity in its schema.
        sequence_id: Identity of its sequence: it, and the messages of its key before and behind it.
        consumer: Consumer that could not digest it.
        topic: Topic the record lies in.
        partition: Partition the record lies in.
        offset: Offset within the partition.
        key: Record key.
        type: Full name of the message; None when the record does not say.
        message_id: Id of the message; None when the record has none that can be used.
        recorded_at: When the record was made or appended.
        parked_at: When it was parked.
        failed_at: When it last failed; None when it was never tried.
        reason: Why it is parked.
        error_class: Qualified name of the last error, empty when there was none.
        error_text: The beginning of what the last error says.
        edited: Its value is not the one that was delivered.
        status: Whether its sequence is retried by itself, or waits for somebody to decide.
        attempts: How often the first message of its sequence has failed.
        next_attempt_at: When the sequence is tried again; None when it waits for somebody.
        number: 1 for the first message of the sequence, the one that is tried.
        behind: Messages that wait behind it.
    """

    parked_id: int
    sequence_id: int
    consumer: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    type: str | None
    message_id: UUID | None
    recorded_at: datetime
    parked_at: datetime
    failed_at: datetime | None
    reason: str
    error_class: str
    error_text: str
    edited: bool
    status: Status
    attempts: int
    next_attempt_at: datetime | None
    number: int
    behind: int

    @property
    def place(self) -> RecordPosition:
        """Where the record lies."""
        return RecordPosition(self.topic, self.partition, self.offset)

    @property
    def state(self) -> State:
        """What it waits for: a person, its next attempt, or a message before it."""
        return self.status if self.number == 1 else "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a parked message consists of.

    Args:
        headers: Headers in their order.
        value: Value as last edited.
        original_value: Value as delivered, when it was edited since.
        error_text: What the last error says.
        traceback: Where it was raised, empty where that says nothing.
    """

    headers: Headers
    value: bytes | None
    original_value: bytes | None
    error_text: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What somebody did about a message, and the message as it was then.

    Args:
        action_id: Its identity in its schema.
        at: When.
        action: `retry`, `edit` or `skip`.
        actor: Who did it.
        why: The reason given.
        consumer: Consumer of the message.
        topic: Topic the record lies in.
        partition: Partition the record lies in.
        offset: Offset within the partition.
        recorded_at: When the record was made or appended.
        key: Record key.
        message_id: Id of the message; None when the record has none that can be used.
        type: Full name of the message; None when the record does not say.
        headers: Headers in their order.
        value: Value before an edit or a skip; None for a retry.
        new_value: Value after an edit.
        reason: Why the message was parked.
        error_class: Qualified name of its error.
        error_text: What the error says.
        traceback: Where it was raised.
    """

    action_id: int
    at: datetime
    action: Literal["retry", "edit", "skip"]
    actor: str
    why: str
    consumer: str
    topic: str
    partition: int
    offset: int
    recorded_at: datetime
    key: bytes | None
    message_id: UUID | None
    type: str | None
    headers: Headers
    value: bytes | None
    new_value: bytes | None
    reason: str
    error_class: str
    error_text: str
    traceback: str

    @property
    def place(self) -> RecordPosition:
        """Where the record lies."""
        return RecordPosition(self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many messages passed a selection.

    Args:
        messages: All of them.
        dead: Those that wait for somebody to decide.
        retrying: Those that are tried again by themselves.
        behind: Messages that wait behind these two kinds.
    """

    messages: int = 0
    dead: int = 0
    retrying: int = 0
    behind: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            messages=self.messages + other.messages,
            dead=self.dead + other.dead,
            retrying=self.retrying + other.retrying,
            behind=self.behind + other.behind,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Messages that failed alike, each the first of its key.

    Args:
        type: Full name of the message; empty when their records do not say.
        error_text: The beginning of what one of the errors says.
        behind: Messages that wait behind them.
        oldest: When the first of them was parked.
    """

    consumer: str
    type: str
    error_class: str
    error_text: str
    dead: int
    retrying: int
    behind: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Messages that passed a selection, oldest first, as many as were asked for; and the totals of all that passed."""

    messages: Sequence[Parked]
    totals: Totals


def key_text(key: bytes | None) -> str | None:
    """Return a record key as text; after `HEX` in hexadecimal when it is none that can be printed."""
    if key is None:
        return None
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return HEX + key.hex()
    is_plain = text and text.isprintable() and not text.startswith(HEX)
    return text if is_plain else HEX + key.hex()


def key_of(text: str) -> bytes:
    """Return the record key that a text stands for.

    Raises:
        ValueError: it begins with `HEX` and goes on with something else than hexadecimal digits.
    """
    if not text.startswith(HEX):
        if not text:
            raise ValueError(f"the empty key is written {HEX}")
        return text.encode(errors="surrogateescape")  # the bytes that were typed
    try:
        return bytes.fromhex(text.removeprefix(HEX))
    except ValueError:
        raise ValueError(f"{text!r} goes on with something else than hexadecimal digits") from None
