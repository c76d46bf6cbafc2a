"""The stack of these tests: the compose file as it stands, on the engine of this machine."""

import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.containers.container_stack import ContainerStack, containers_settings
from tests.containers.engine import engine
from tests.stack import make_directory


@pytest.fixture(scope="session")
def _engine() -> Iterator[None]:
    with engine() as which:
        sys.stderr.write(f"\nThese tests run on {which}.\n")
        yield


@pytest.fixture(scope="session")
def stack(_engine: None) -> Iterator[ContainerStack]:
    """A running stack in containers. A test may break parts of it; what is down afterwards is started again."""
    directory = make_directory()
    running = ContainerStack(containers_settings(directory / "home"))
    try:
        running.cli("up")
        yield running
    finally:
        running.delete()
        shutil.rmtree(directory)
