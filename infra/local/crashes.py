"""Killing parts of the stack, one after the other, as the kernel does when memory is short."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from itertools import chain, cycle

from infra.errors import RequestError
from infra.local.parts import Part
from infra.local.programs import parts_brought_up
from infra.local.supervision.client import Supervisor
from infra.settings import Settings

SERVICES = "services"  # all that serve requests or consume messages


class Crashes:
    """Kills programs in turns; supervision starts them again. Build it with `crashes_of`.

    Args:
        programs: Name of each program -> the parts that it runs.
    """

    def __init__(self, settings: Settings, programs: Mapping[str, Sequence[Part]]) -> None:
        self._settings = settings
        self._supervisor = Supervisor(settings.home)
        self._programs = programs
        self._turns = cycle(programs)
        self._last: str | None = None

    def kill_next(self) -> str | None:
        """Kill the next program and return its name; None as long as the last one is not back."""
        if self._last and not self._is_ready(self._last):
            return None
        name = next(self._turns)
        process = self._supervisor.processes().get(name)
        if process is None or not process.pid:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        self._last = name
        return name

    def _is_ready(self, name: str) -> bool:
        return all(part.is_ready(self._settings) for part in self._programs[name])


def crashes_of(settings: Settings, names: Sequence[str]) -> Crashes:
    """Return what kills these parts.

    Args:
        names: Parts in their turn; `SERVICES` for all services and consumers.

    Raises:
        RequestError: one is no part of the stack.
    """
    parts = parts_brought_up(settings)
    known = {part.name: part for part in parts}
    if unknown := sorted(set(names) - {*known, SERVICES}):
        raise RequestError(
            f"{', '.join(unknown)} is no part of this stack; there are {SERVICES}, {', '.join(sorted(known))}."
        )
    running = Supervisor(settings.home).processes()
    programs: dict[str, list[Part]] = {}
    services = [part.name for part in parts if part.is_service]
    for name in chain.from_iterable(services if each == SERVICES else [each] for each in names):
        part = known[name]
        programs.setdefault(part.program_in(running), []).append(part)
    return Crashes(settings, programs)
