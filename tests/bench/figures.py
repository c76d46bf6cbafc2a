"""Figures of a benchmark: medians over rounds, percentiles, ratios."""

import math
import statistics
from collections.abc import Iterable, Sequence


def median(values: Iterable[float]) -> float | None:
    """Return the median; None when there are no values."""
    known = list(values)
    return statistics.median(known) if known else None


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent of all do not exceed (nearest rank).

    Args:
        values: At least one, in any order.
        percent: Above 0, at most 100.
    """
    ranked = sorted(values)
    return ranked[math.ceil(len(ranked) * percent / 100) - 1]


def ratio(candidate: float | None, reference: float | None) -> float | None:
    """Return the candidate's figure in units of the reference's; None when one is missing."""
    if candidate is None or not reference:
        return None
    return candidate / reference
