"""Waiting as long as there is progress."""

from itertools import count

import pytest

from infra.local.probe import ProbeTimeoutError
from tests.faults.standstill import INTERVAL_S, wait_through

LIMIT_S = 0.5
LOOKS = int(2 * LIMIT_S / INTERVAL_S)


def test_what_goes_forward_is_waited_for_however_long_it_takes() -> None:
    looks, steps = count(), count()
    still_s = wait_through(
        "it is not done", lambda: next(looks) > LOOKS, lambda: next(steps), give_up_s=LIMIT_S
    )
    assert still_s < LIMIT_S


def test_what_stands_still_is_given_up() -> None:
    with pytest.raises(ProbeTimeoutError, match="without progress it is not done"):
        wait_through("it is not done", lambda: False, lambda: 0, give_up_s=LIMIT_S)
