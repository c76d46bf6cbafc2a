"""Medians, percentiles and ratios."""

import pytest

from tests.bench.figures import median, percentile, ratio


def test_the_median_is_not_moved_by_one_bad_round() -> None:
    assert median([3.0, 1.0, 100.0]) == 3.0
    assert median([]) is None


@pytest.mark.parametrize(("percent", "expected"), [(1, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_every_percentile_of_one_value_is_that_value() -> None:
    assert percentile([4.0], 50) == percentile([4.0], 99) == 4.0


@pytest.mark.parametrize(("candidate", "reference"), [(None, 2.0), (1.0, None), (1.0, 0.0)])
def test_a_ratio_needs_both_sides(candidate: float | None, reference: float | None) -> None:
    assert ratio(candidate, reference) is None


def test_a_ratio_is_in_units_of_the_reference() -> None:
    assert ratio(30.0, 20.0) == 1.5
