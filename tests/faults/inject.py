"""Carries out faults on a running stack, and does what an operator has to do about them."""

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psutil

from cdc import topics
from infra.local.parts import KAFKA_OF_A_CLUSTER, SHARED, parts_of
from infra.local.probe import wait_until
from infra.local.programs import program_of
from infra.local.restart import restart
from infra.local.standby.status import report
from infra.local.supervision.client import Supervisor
from infra.services import WORKERS
from tests import slots
from tests.faults.disk import fill
from tests.faults.network import losing, ports_of
from tests.faults.plan import BACKEND, PRIMARY, SLOT, STANDBY, Fault, Kind, Step
from tests.stack import RunningStack

PROCESS_TIMEOUT_S = 60.0
LOST = frozenset({Kind.LOSE, Kind.WIPE})
LOST_OF_A_SLOW_ONE = 0.3
"""Share of packets. The kernel sends one again after 0.2 s, and waits for twice as long after each further one."""
T = TypeVar("T")
OF_POSTGRES = frozenset({PRIMARY, STANDBY, BACKEND, SLOT})


class Injector:
    """Carries out faults.

    Args:
        stack: The running stack.
    """

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._supervisor = Supervisor(stack.settings.home)
        self._parts = {part.name: part for part in parts_of(stack.settings)}

    def carry_out(self, step: Step) -> float:
        """Carry out the faults of a step side by side.

        Returns:
            The moment from which on recovery counts, by `time.monotonic`: that of the last signal to kill or to go on,
            or that at which a restart began.
        """
        with ThreadPoolExecutor(len(step.faults)) as executor:
            return max(executor.map(self._carry_out, step.faults))

    def remedy(self, step: Step) -> None:
        """Give the commands without which effects do not flow again."""
        for fault in step.faults:
            if fault.target == PRIMARY and fault.kind in LOST:
                self._stack.cli("postgres", "promote", "--yes", "--json")
            if fault.kind is Kind.DROP:
                self._stack.cli("connector", "recover", "--yes", "--json")

    def replace(self, step: Step) -> None:
        """Bring back what is still lost once effects flow without it."""
        for fault in step.faults:
            if fault.target == STANDBY and fault.kind is Kind.WIPE:
                self._stack.cli("postgres", "rebuild", "--yes", "--json")
        if any(fault.kind in LOST | {Kind.DROP} for fault in step.faults):
            self._stack.cli("up", "--json")

    def is_ready(self, step: Step) -> bool:
        """Tell whether all that was hit does its work, and could bear to be hit again."""
        return all(self._is_ready(fault.target) for fault in step.faults)

    def _is_ready(self, target: str) -> bool:
        settings = self._stack.settings
        if not self._parts[self._part(target)].is_ready(settings):
            return False
        if target in KAFKA_OF_A_CLUSTER:
            return not topics.behind(settings.kafka_bootstrap)
        return target not in OF_POSTGRES or report(settings).is_protected

    def _carry_out(self, fault: Fault) -> float:
        _sleep(fault.delay_s)
        part = self._part(fault.target)
        match fault.kind:
            case Kind.RESTART:
                begin = time.monotonic()
                restart(self._stack.settings, part)
                return begin
            case Kind.LOSE | Kind.WIPE:
                at = self._stack.lose(part)
                if fault.kind is Kind.WIPE:
                    shutil.rmtree(self._stack.settings.home / part / "data")
                return at
            case Kind.DROP:
                slots.drop(self._stack)
                return time.monotonic()
            case Kind.FILL:
                fill(lambda: self._look(fault), fault.hold_s)
            case Kind.CUT | Kind.SLOW:
                share = 1.0 if fault.kind is Kind.CUT else LOST_OF_A_SLOW_ONE
                with losing(share, self._ports(fault)):
                    _sleep(fault.hold_s)
            case Kind.KILL:
                _signal(self._processes(fault)[:1], signal.SIGKILL)
            case Kind.FREEZE:
                self._freeze(fault)
        return time.monotonic()

    def _freeze(self, fault: Fault) -> None:
        processes = self._processes(fault)
        _signal(processes, signal.SIGSTOP)
        try:
            _sleep(fault.hold_s)
        finally:
            # the youngest first: whoever is waited for is there when its parent goes on
            _signal(reversed(processes), signal.SIGCONT)

    def _part(self, target: str) -> str:
        """Return the part that is meant by now."""
        settings = self._stack.settings
        if target in {PRIMARY, BACKEND, SLOT}:
            return settings.primary
        if target == STANDBY:
            return str(settings.standby)
        return WORKERS[0].name if target == SHARED else target

    def _processes(self, fault: Fault) -> Sequence[psutil.Process]:
        """Return the process that is meant, and its descendants; a part that is being started is waited for."""
        return _once_there(f"{fault.target} has no process", lambda: self._look(fault))

    def _ports(self, fault: Fault) -> Sequence[int]:
        """Return where a part listens, once it does."""
        return _once_there(f"{fault.target} listens nowhere", lambda: ports_of(self._look(fault)))

    def _look(self, fault: Fault) -> list[psutil.Process]:
        program = program_of(self._part(fault.target), self._stack.settings)
        process = self._supervisor.processes().get(program)
        if process is None or not process.pid:
            return []
        try:
            parent = psutil.Process(process.pid)
            children = sorted(parent.children(recursive=True), key=lambda child: child.pid)
        except psutil.NoSuchProcess:
            return []
        if fault.target != BACKEND:
            return [parent, *children]
        return [children[int(fault.choice * len(children))]] if children else []


def _once_there(otherwise: str, look: Callable[[], Sequence[T]]) -> Sequence[T]:
    found: list[T] = []

    def looked() -> bool:
        found[:] = look()
        return bool(found)

    wait_until(otherwise, looked, timeout_s=PROCESS_TIMEOUT_S)
    return found


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)
