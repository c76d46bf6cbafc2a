"""Which part of the time a replay has replayed whole, and so which rows it can be held to."""

from dataclasses import dataclass
from datetime import datetime

from consumers.replay.selection import Selection
from consumers.replay.source import Plan
from consumers.runtime.consumer import Consumer


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a replay has replayed.

    Args:
        start: Since when; None since the first message there ever was.
        end: Until when; None up to the last message there is.
        is_whole: All messages of the time between; if not, rows that add many of them up are only partly there.
    """

    start: datetime | None
    end: datetime | None
    is_whole: bool

    @classmethod
    def of(
        cls, plan: Plan, selection: Selection, consumer: Consumer, *, to_the_last: bool
    ) -> "Coverage":
        """Return what a plan covers of what a consumer reads.

        Args:
            plan: The plan.
            selection: What was chosen of it.
            consumer: The consumer.
            to_the_last: Nothing is live that was recorded after what the plan reads.
        """
        is_whole = (
            plan.is_whole
            and not selection.is_filtered
            and set(selection.topics) >= set(consumer.topics)
        )
        return cls(plan.start, None if to_the_last else plan.end, is_whole)
