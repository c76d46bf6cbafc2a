"""What a demonstration has cost is said where it was counted from its beginning to its end."""

from infra.demo.figures import Added, Figures, added

BEFORE = Figures(duplicates=1, counts_since=100, commits=5000, messages=900)


def test_what_was_added_is_the_difference() -> None:
    now = Figures(duplicates=3, counts_since=100, commits=5100, messages=910)
    assert added(BEFORE, now) == Added(duplicates=2, commits=100, messages=10)


def test_a_database_that_was_killed_meanwhile_has_begun_to_count_anew() -> None:
    now = Figures(duplicates=3, counts_since=160, commits=6000, messages=950)
    assert added(BEFORE, now) == Added(duplicates=2, commits=None, messages=None)
