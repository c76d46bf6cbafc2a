"""Parts that tell by a file that they are at work: for how long that is believed, whatever the clock does."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local import retention
from infra.local.standby import watch
from infra.settings import Settings
from tests.stack import own_settings


@pytest.mark.parametrize(
    ("name", "is_ready", "limit_s"),
    [("retention.round", retention.is_ready, 7200), ("standby.look", watch.is_ready, 15)],
)
def test_a_file_of_long_ago_or_of_the_future_tells_of_nothing(
    tmp_path: Path, name: str, is_ready: Callable[[Settings], bool], limit_s: float
) -> None:
    settings = own_settings(tmp_path)
    assert not is_ready(settings)
    file = tmp_path / "supervisor" / name
    file.parent.mkdir()
    file.touch()
    assert is_ready(settings)
    ages_s = {limit_s - 5: True, limit_s: False, 86_400: False, -1: True, -60: False, -1e7: False}
    for age_s, believed in ages_s.items():
        os.utime(file, times=(0, time.time() - age_s))
        assert is_ready(settings) is believed, age_s
