"""The faults are made with the connector as the publisher; what is about the relay brings relays of its own."""

import pytest

from tests.stack import RunningStack


@pytest.fixture(scope="session", autouse=True)
def _published_by_the_connector(stack: RunningStack) -> None:
    """Switch back from the relay, which the end-to-end tests come to last."""
    stack.publish_by("cdc")
