"""Which part of the time a replay has replayed whole, and so which rows it can be held to."""

from dataclasses import dataclass
from datetime import datetime

from consumers.replay.selection import Selection
from consumers.replay.source import Plan
from consumers.runtime.consumer import Consumer


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a replay has replayed."""

    start: datetime | None  # since when; None since the first message there ever was
    end: datetime | None  # until when; None up to the last message there is
    # all messages of the time between; if not, rows that add many of them up are only partly there
    is_whole: bool

    @classmethod
    def of(
        cls, plan: Plan, selection: Selection, consumer: Consumer, *, to_the_last: bool
    ) -> "Coverage":
        is_whole = (
            plan.is_whole
            and not selection.is_filtered
            and set(selection.topics) >= set(consumer.topics)
        )
        return cls(plan.start, None if to_the_last else plan.end, is_whole)
