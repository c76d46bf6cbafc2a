"""The end-to-end suite runs on both publishers: on the connector, and after a switch of the running stack on the relay.

A module that is about one of them says so with `PUBLISHERS = ("cdc",)`.
"""

from collections.abc import Iterator

import pytest

from infra.local.programs import publisher as running_publisher
from infra.settings import Publisher
from tests.stack import RunningStack

BOTH: tuple[Publisher, ...] = ("cdc", "relay")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test once on each publisher."""
    publishers = getattr(metafunc.module, "PUBLISHERS", BOTH)
    metafunc.parametrize("publisher", publishers, indirect=True, scope="session")


@pytest.fixture(scope="session", autouse=True)
def publisher(request: pytest.FixtureRequest, stack: RunningStack) -> Iterator[Publisher]:
    """The publisher of the stack, which is the connector again afterwards."""
    stack.publish_by(request.param)
    assert running_publisher(stack.settings) == request.param
    yield request.param
    stack.publish_by("cdc")
