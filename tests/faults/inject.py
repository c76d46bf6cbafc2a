"""Carries out faults on a running stack."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psutil

from infra.local.probe import wait_until
from infra.local.restart import restart
from infra.local.supervision.client import Supervisor
from tests.faults.plan import BACKEND, Fault, Kind, Step
from tests.stack import RunningStack

PROCESS_TIMEOUT_S = 60.0


class Injector:
    """Carries out faults.

    Args:
        stack: The running stack.
    """

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._supervisor = Supervisor(stack.settings.home)

    def carry_out(self, step: Step) -> float:
        """Carry out the faults of a step side by side.

        Returns:
            The moment from which on recovery counts, by `time.monotonic`: that of the last signal to kill or to go on,
            or that at which a restart began.
        """
        with ThreadPoolExecutor(len(step.faults)) as executor:
            return max(executor.map(self._carry_out, step.faults))

    def _carry_out(self, fault: Fault) -> float:
        _sleep(fault.delay_s)
        if fault.kind is Kind.RESTART:
            begin = time.monotonic()
            restart(self._stack.settings, fault.part)
            return begin
        processes = self._processes(fault)
        if fault.kind is Kind.KILL:
            _signal(processes[:1], signal.SIGKILL)
            return time.monotonic()
        _signal(processes, signal.SIGSTOP)
        try:
            _sleep(fault.hold_s)
        finally:
            # the youngest first: whoever is waited for is there when its parent goes on
            _signal(reversed(processes), signal.SIGCONT)
        return time.monotonic()

    def _processes(self, fault: Fault) -> Sequence[psutil.Process]:
        """Return the process that is meant, and its descendants; a part that is being started is waited for."""
        found: list[psutil.Process] = []

        def looked() -> bool:
            with contextlib.suppress(psutil.NoSuchProcess):
                found[:] = self._look(fault)
            return bool(found)

        wait_until(f"{fault.part} has no process", looked, timeout_s=PROCESS_TIMEOUT_S)
        return found

    def _look(self, fault: Fault) -> list[psutil.Process]:
        part = "postgres" if fault.part == BACKEND else fault.part
        process = self._supervisor.processes().get(part)
        if process is None or not process.pid:
            return []
        parent = psutil.Process(process.pid)
        children = sorted(parent.children(recursive=True), key=lambda child: child.pid)
        if fault.part != BACKEND:
            return [parent, *children]
        return [children[int(fault.choice * len(children))]] if children else []


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)
