"""Times along a line: to scale, but for stretches in which nothing begins or ends, which are drawn shortened."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

LONG_SHARE = 0.4
"""A stretch that takes more than so much of the whole is shortened, as all else could not be seen beside it."""
SHORT_SHARE = 0.12
"""What is left to it of the line."""
LONG_AT_LEAST = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch that is drawn shortened."""

    x: float  # its middle
    seconds: float


class Scale:
    """Places moments between two ends of a line."""

    def __init__(self, moments: Sequence[datetime], left: float, right: float) -> None:
        self._moments = sorted(set(moments))
        self._left, self._right = left, right
        self._shares = _shares(self._moments)
        self._starts = [0.0]
        for share in self._shares:
            self._starts.append(self._starts[-1] + share)

    @property
    def first(self) -> datetime:
        return self._moments[0]

    @property
    def seconds(self) -> float:
        return (self._moments[-1] - self._moments[0]).total_seconds()

    def x(self, moment: datetime) -> float:
        """Return where a moment is; what lies beyond the ends is put there."""
        moment = min(max(moment, self._moments[0]), self._moments[-1])
        number = min(bisect_right(self._moments, moment), len(self._moments) - 1) - 1
        if number < 0:
            return self._left
        before, after = self._moments[number], self._moments[number + 1]
        share = (moment - before) / (after - before)
        at = self._starts[number] + share * self._shares[number]
        return round(self._left + at * (self._right - self._left), 1)

    @property
    def cuts(self) -> list[Cut]:
        """Return the stretches that are not to scale."""
        whole = self.seconds or 1.0
        return [
            Cut(
                self.x(before + (after - before) / 2),
                (after - before).total_seconds(),
            )
            for before, after in pairwise(self._moments)
            if _is_long(after - before, whole)
        ]


def _is_long(stretch: timedelta, whole: float) -> bool:
    return stretch >= LONG_AT_LEAST and stretch.total_seconds() > LONG_SHARE * whole


def _shares(moments: Sequence[datetime]) -> list[float]:
    """Return how much of the line each stretch between two moments has; all of them together are 1."""
    stretches = [after - before for before, after in pairwise(moments)]
    whole = sum(each.total_seconds() for each in stretches)
    if not whole:
        return [1 / len(stretches) for _ in stretches]
    long = [_is_long(each, whole) for each in stretches]
    rest = sum(
        each.total_seconds() for each, is_long in zip(stretches, long, strict=True) if not is_long
    )
    if all(long) or not rest:
        return [each.total_seconds() / whole for each in stretches]
    left = 1 - SHORT_SHARE * sum(long)
    return [
        SHORT_SHARE if is_long else left * each.total_seconds() / rest
        for each, is_long in zip(stretches, long, strict=True)
    ]
