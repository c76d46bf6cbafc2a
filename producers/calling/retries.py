"""When a call is made again: seldom enough that a target which is dying is not killed by it."""

import random

CAPACITY = 10.0
"""Retries in a row without any success, for a target as a whole."""
DEPOSIT = 0.1
"""What a success allows of a retry: at most a tenth more calls than were asked for, over time."""
FIRST_WAIT_S = 0.05
MOST_WAIT_S = 1.0
"""A target that wants to be left alone for longer is: who asked hears so, and decides."""


class RetryBudget:
    """Retries that a target may still be given. A success puts in a tenth of one."""

    def __init__(self) -> None:
        self.left = CAPACITY

    def deposit(self) -> None:
        self.left = min(CAPACITY, self.left + DEPOSIT)

    def withdraw(self) -> bool:
        """Take one retry; tell whether there was one."""
        if self.left < 1:
            return False
        self.left -= 1
        return True


def wait_s(attempt: int, asked_s: float) -> float | None:
    """Return how long to wait before a call is made again, at random; None when that is too long.

    Args:
        attempt: How often it was made; 1 after the first time.
        asked_s: Seconds for which the target asks to be left alone.
    """
    if asked_s > MOST_WAIT_S:
        return None
    backoff_s = min(MOST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempt - 1))
    return asked_s + random.uniform(0, backoff_s)  # noqa: S311 - no secret
