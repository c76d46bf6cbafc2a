"""What a consumer declares of the tables that its handlers write: how they are compared, and which may be rebuilt."""

from dataclasses import dataclass
from datetime import timedelta

NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that handlers write. What is not declared is compared by its primary key, in all columns.

    Args:
        key: Columns by which a row is found again when it was made anew; the primary key when none are named.
        leave_out: Columns that differ each time: generated ids, times of processing.
        record_key: Column that holds the key of the record which a row comes from. The rows of the keys that were
            replayed are then expected, and no others.
        time: Column that says when the messages behind a row were recorded, give or take `before` and `after`.
        before: How long before that time the first of them may have been recorded.
        after: How long after that time the last of them may have been recorded.
        adds_up: A row adds up many messages, so that it can only be compared where all of them were replayed.
        is_projection: All that the table holds follows from messages, and it may be built anew from them.
    """

    key: tuple[str, ...] = ()
    leave_out: frozenset[str] = frozenset()
    record_key: str | None = None
    time: str | None = None
    before: timedelta = NOTHING
    after: timedelta = NOTHING
    adds_up: bool = False
    is_projection: bool = False

    def __post_init__(self) -> None:
        if self.record_key and self.time:
            raise ValueError(
                "a table says by record_key or by time which rows belong to a replay, not by both"
            )
        if self.before < NOTHING or self.after < NOTHING:
            raise ValueError("before and after are lengths of time, and not negative")
