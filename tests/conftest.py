"""The stack that tests share: started by the first that asks for it, stopped whatever happens.

Several processes of tests have one each.
"""

import os
import shutil
import signal
import socket
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings

from tests import again, examples, java_caches
from tests import stack as stacks
from tests.side_by_side import (
    APART,
    NEEDS_NO_STACK,
    PROCESS,
    Turns,
    rank,
    stacks_that_fit,
    unit_of,
)
from tests.stack import LOGS_KEPT, RunningStack, make_directory, own_settings

__all__ = ["RunningStack"]

pytest.register_assert_rewrite("tests.runtime_contract")
settings.load_profile(examples.THOROUGH)

CHEAPEST_FIRST = (
    "unit",
    "contract",
    "component",
    "integration",
    "e2e",
    "chaos",
    "containers",
    "bench",
)
RUNNING = pytest.StashKey[RunningStack]()
AT_REST = pytest.StashKey[bool]()
"""Whether the stack of this process is down until a test asks for it."""
NOT_STARTED = pytest.StashKey[list[Exception]]()
"""Why stacks of this process did not start."""
ONE_WITHOUT = pytest.StashKey[bool]()
"""Whether one of the processes is to have no stack."""
TOLD_BY = pytest.StashKey[dict[int, str]]()
"""The test that tells of a failure, by the failure's id."""
MOST_STARTS = 2
TURNS = pytest.StashKey[Turns]()
ROOM = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the stacks of several processes, in the one that leads them; know of it in the others."""
    if hasattr(config, "workerinput"):
        room = Path(config.workerinput["room"])
        stacks.ROOM = room
        config.stash[TURNS] = Turns(room)
    elif config.getoption("dist", "no") != "no":
        # a terminated run still ends as an interrupted one does
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        config.stash[ROOM] = make_directory()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Have what is told of a test's trials sent at once; otherwise it waits 40 ms, at each test."""
    trials = getattr(session.config, "failures_db", None)
    if (told := getattr(trials, "sock", None)) is not None:
        told.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process that runs tests where the room is."""
    node.workerinput["room"] = str(node.config.stash[ROOM])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Start as many processes as there may be stacks, and one more for tests that need none."""
    if config.getoption("dist") != "loadfile":
        return None
    config.stash[ONE_WITHOUT] = True
    return 1 + stacks_that_fit(os.cpu_count() or 1, psutil.virtual_memory().available // 2**20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Deal out the tests in units of ours when they go by files."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class InUnits(LoadFileScheduling):  # type: ignore[misc]  # xdist carries no types
        without_stack: object = None

        def schedule(self) -> None:
            if self.collection is None and config.stash.get(ONE_WITHOUT, False):
                self.without_stack = self.nodes[-1]
            super().schedule()

        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

        def _reschedule(self, node: Any) -> None:
            # a process begins its last test when it knows the next one; what it is given earlier, others cannot take
            if not self.workqueue or self._pending_of(self.assigned_work[node]) <= 1:
                super()._reschedule(node)

        def _assign_work_unit(self, node: Any) -> None:
            """Have one process take what needs no stack, and the others that only when nothing else is left."""
            without = node is self.without_stack
            fits = (unit for unit in self.workqueue if bool(NEEDS_NO_STACK.match(unit)) is without)
            if (unit := next(fits, None)) is not None:
                self.workqueue.move_to_end(unit, last=False)
            elif without:
                node.shutdown()
                return
            super()._assign_work_unit(node)

    return InUnits(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what a process was not given the time to stop, or has died with."""
    if (room := config.stash.get(ROOM, None)) is not None:
        stacks.clear(room)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what needs nothing before what needs a stack, and once more what comes to no result."""
    root = Path(__file__).parent

    def kind(item: pytest.Item) -> str:
        return item.path.relative_to(root).parts[0]

    def place(item: pytest.Item) -> tuple[int, ...]:
        is_alone = item.get_closest_marker("alone") is not None
        return CHEAPEST_FIRST.index(kind(item)), *rank(item.nodeid, alone=is_alone)

    items.sort(key=place)
    for item in items:
        item.add_marker(again.marker(kind(item)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have one of several processes see to Java's start-up caches, while there are tests that need no stack."""
    config = session.config
    if TURNS in config.stash and PROCESS == "gw0" and any(map(needs_stack, session.items)):
        begun = ExitStack()
        begun.enter_context(java_caches.being_made())
        config.add_cleanup(begun.close)


def needs_stack(item: pytest.Item) -> bool:
    """Tell whether a test asks for the stack of processes; those of containers have one of their own."""
    return "stack" in getattr(item, "fixturenames", ()) and item.path.parent.name != "containers"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test beside those of other processes, or alone when it is marked so."""
    turns = item.config.stash.get(TURNS, None)
    if turns is None:
        return (yield)
    with turns.taken(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the stack for the first test that asks for it, and again for the next one if it did not start."""
    stash = item.config.stash
    if not needs_stack(item):
        return
    if RUNNING not in stash:
        start_stack(item.config)
    elif stash.get(AT_REST, False):
        stash[RUNNING].cli("up", "--json")
        stash[AT_REST] = False


def start_stack(config: pytest.Config) -> None:
    """Start a stack, while no other process starts one; what has failed too often is not tried again."""
    if len(failures := config.stash.setdefault(NOT_STARTED, [])) >= MOST_STARTS:
        raise failures[-1]
    # a terminated run still stops what it has started
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = make_directory()
    running = RunningStack(own_settings(directory / "home"))
    try:
        with ExitStack() as turn:
            if (turns := config.stash.get(TURNS, None)) is not None:
                java_caches.make()
                turn.enter_context(turns.starting())
            running.cli("up", "--json")
    except BaseException as error:
        if isinstance(error, Exception):
            failures.append(error)
        running.delete()
        shutil.rmtree(directory)
        raise
    config.stash[RUNNING] = running


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[RunningStack]:
    """A running stack. A test may break parts of it; what is down afterwards is started again."""
    running = request.config.stash[RUNNING]
    try:
        yield running
    finally:
        running.delete()
        shutil.rmtree(running.settings.home.parent)


@pytest.fixture(scope="module", autouse=True)
def _as_the_module_needs_it(request: pytest.FixtureRequest) -> None:
    """Change how the stack publishes and runs its consumers; the end-to-end tests choose their publisher themselves."""
    running = request.config.stash.get(RUNNING, None)
    if running is None or request.config.stash.get(AT_REST, False):
        return
    running.run_workers("apart" if APART.match(request.node.nodeid) else "shared")
    if request.path.parent.name != "e2e":
        running.publish_by("cdc")


@pytest.fixture(scope="module")
def alone_at_work(request: pytest.FixtureRequest) -> None:
    """Have the stack of this process rest, which takes a quarter of a core idle, while a module has a large one."""
    running = request.config.stash.get(RUNNING, None)
    if running is not None:
        running.cli("down")
        request.config.stash[AT_REST] = True


@pytest.fixture(autouse=True)
def _mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bring up again what a test has left broken."""
    yield
    if "stack" in request.fixturenames:
        running: RunningStack = request.getfixturevalue("stack")
        if not running.is_untouched() and not running.is_running():
            running.mend()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the stack has to say to the report of a test that failed with it; why there is none is said once."""
    report = yield
    failures = item.config.stash.get(NOT_STARTED, [])
    if call.excinfo and call.excinfo.value in failures:
        told = item.config.stash.setdefault(TOLD_BY, {})
        first = told.setdefault(id(call.excinfo.value), item.nodeid)
        if first != item.nodeid:
            report.longrepr = f"No stack could be started; why is told by {first}."
        return report
    running = getattr(item, "funcargs", {}).get("stack")
    if report.failed and running is not None and (troubles := running.troubles()):
        report.sections.append(("parts of the stack", troubles))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Say where the logs of the stack are."""
    if exitstatus and LOGS_KEPT.is_dir():
        terminalreporter.write_line(f"The logs of the stack are in {LOGS_KEPT}.")
