"""How many examples Hypothesis tries: as many as its profile says, by default those of `make test`."""

from typing import Any

from hypothesis import settings

THOROUGH, QUICK = "thorough", "quick"
settings.register_profile(THOROUGH, deadline=None)
settings.register_profile(QUICK, deadline=None, max_examples=15)


def times(factor: float, **options: Any) -> settings:
    """Return settings with more or fewer examples than the profile's own, by a factor."""
    return settings(max_examples=round(factor * settings().max_examples), **options)
