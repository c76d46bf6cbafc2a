"""The one stack which all tests share: started by the first that asks for it, stopped whatever happens."""

import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.stack import LOGS_KEPT, RunningStack, make_directory, own_settings

__all__ = ["RunningStack"]

pytest.register_assert_rewrite("tests.runtime_contract")

CHEAPEST_FIRST = ("unit", "contract", "integration", "e2e", "chaos", "bench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs nothing before what needs a stack."""
    root = Path(__file__).parent

    def cost(item: pytest.Item) -> int:
        return CHEAPEST_FIRST.index(item.path.relative_to(root).parts[0])

    items.sort(key=cost)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """A running stack. A test may break parts of it; what is down afterwards is started again."""
    # a terminated run still stops what it has started
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = make_directory()
    running = RunningStack(own_settings(directory / "home"))
    try:
        running.cli("up", "--json")
        yield running
    finally:
        running.delete()
        shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bring up again what a test has left broken."""
    yield
    if "stack" in request.fixturenames:
        running: RunningStack = request.getfixturevalue("stack")
        if not running.is_running():
            running.cli("up")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the stack has to say to the report of a test that failed with it."""
    report = yield
    running = getattr(item, "funcargs", {}).get("stack")
    if report.failed and running is not None and (troubles := running.troubles()):
        report.sections.append(("parts of the stack", troubles))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Say where the logs of the stack are."""
    if exitstatus and LOGS_KEPT.is_dir():
        terminalreporter.write_line(f"The logs of the stack are in {LOGS_KEPT}.")
