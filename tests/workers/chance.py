"""Chance that can be repeated, and what a test says besides passing: shown when it fails, or by `pytest -rP`."""

import os
import random

SEED = "TAILRACE_CHAOS_SEED"


def make_chance() -> random.Random:
    """Return a source of chance, and tell its seed; the environment may give one to be repeated."""
    seed = int(os.environ.get(SEED) or random.randrange(2**32))  # noqa: S311 - it picks victims
    tell(f"{SEED}={seed}")
    return random.Random(seed)  # noqa: S311


def tell(line: str) -> None:
    """Say what a test has found."""
    print(line)  # noqa: T201
