"""The end-to-end suite runs on both publishers: on the connector, and after a switch of the running stack on the relay.

A module that is about one of them says so with `PUBLISHERS = ("cdc",)`.
"""

from collections.abc import Iterator

import pytest

from infra.settings import Publisher
from tests.stack import RunningStack

BOTH: tuple[Publisher, ...] = ("cdc", "relay")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a stack once on each publisher."""
    if "stack" in metafunc.fixturenames:
        publishers = getattr(metafunc.module, "PUBLISHERS", BOTH)
        metafunc.fixturenames.insert(0, "publisher")
        metafunc.parametrize("publisher", publishers, indirect=True, scope="session")


@pytest.fixture(scope="session")
def publisher(request: pytest.FixtureRequest, stack: RunningStack) -> Iterator[Publisher]:
    """The publisher of the stack, which is the connector again afterwards."""
    stack.publish_by(request.param)
    yield request.param
    stack.publish_by("cdc")
