"""Which failures are tried once more: a trial that came to no result, never one that came to a wrong one."""

import subprocess

import httpx2
import pytest

from infra.local.probe import ProbeTimeoutError


class NothingShownError(AssertionError):
    """The fault that a test is about did not happen, so that it has neither proved nor refuted anything."""


def show(happened: object, otherwise: str) -> None:
    """Go on only if what the test needs has really happened.

    Raises:
        NothingShownError: it has not, says `otherwise`.
    """
    if not happened:
        raise NothingShownError(otherwise)


WAITS = (TimeoutError, ProbeTimeoutError, httpx2.TimeoutException, subprocess.TimeoutExpired)
NO_RESULT = pytest.mark.flaky(reruns=1, only_rerun=[NothingShownError, *WAITS])
NOTHING_SHOWN = pytest.mark.flaky(reruns=1, only_rerun=[NothingShownError])
"""For proofs of reliability: what is lost is waited for in vain, so that a wait in vain must count."""


def marker(kind: str) -> pytest.MarkDecorator:
    """Return how often a test in this folder of `tests/` may be tried, and after which failures."""
    return NOTHING_SHOWN if kind == "chaos" else NO_RESULT
