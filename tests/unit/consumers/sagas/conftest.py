"""Every test here is about sagas whose messages the catalogue does not have."""

from collections.abc import Iterator

import pytest

from consumers.testing.schemas import codec_of_all
from tests.sagas import enter_world


@pytest.fixture(autouse=True)
def trial_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    enter_world(monkeypatch)
    yield
    codec_of_all.cache_clear()
