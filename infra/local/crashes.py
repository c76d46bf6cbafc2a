"""Killing parts of the stack, one after the other, as the kernel does when memory is short."""

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Collection
from itertools import cycle

from infra.errors import RequestError
from infra.local.parts import parts_with
from infra.local.programs import publisher
from infra.local.supervision.client import Supervisor
from infra.settings import Settings

SERVICES = "services"  # all that serve requests or consume messages


class Crashes:
    """Kills programs in turns; supervision starts them again. Build it with `crashes_of`."""

    def __init__(self, supervisor: Supervisor, programs: Collection[str]) -> None:
        self.killed: Counter[str] = Counter()
        self._supervisor = supervisor
        self._programs = len(programs)
        self._turns = cycle(programs)

    def kill_next(self) -> str | None:
        """Kill the next program that runs and return its name; None when none does."""
        running = self._supervisor.processes()
        for _ in range(self._programs):
            name = next(self._turns)
            if name in running and running[name].state == "RUNNING":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running[name].pid, signal.SIGKILL)
                    self.killed[name] += 1
                    return name
        return None


def crashes_of(settings: Settings, names: Collection[str]) -> Crashes:
    """Return what kills these parts.

    Args:
        names: Parts; `SERVICES` for all services and consumers.

    Raises:
        RequestError: one is no part of the stack.
    """
    supervisor = Supervisor(settings.home)
    parts = parts_with(publisher(settings))
    known = {part.name for part in parts}
    if unknown := sorted(set(names) - known - {SERVICES}):
        raise RequestError(
            f"{', '.join(unknown)} is no part of this stack; there are {SERVICES}, {', '.join(sorted(known))}."
        )
    chosen = (
        part for part in parts if part.name in names or (part.is_service and SERVICES in names)
    )
    programs = supervisor.processes()
    return Crashes(supervisor, list(dict.fromkeys(part.program_in(programs) for part in chosen)))
