"""How every part is: seen from supervisord, from its port, and from the operating system."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from infra.local.parts import Part
from infra.local.programs import parts_brought_up
from infra.local.supervision.client import Process, Supervisor
from infra.local.supervision.frozen import families, frozen
from infra.settings import Settings

STARTING_TIME_S = 60


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part as it is now."""

    name: str
    program: str  # name of the program that runs it, which is its own unless it shares one
    # "running" (and ready), "starting", "unresponsive" (runs, but has not answered for long enough to worry),
    # "frozen" (one of its processes is stopped by a signal), "restarting" (waits for its next attempt), "failed"
    # (given up), "stopping" or "stopped"
    state: str
    pid: int | None
    url: str | None
    uptime_s: int | None  # seconds since its process was started
    # how often it was started again after ending by itself, since the stack was started
    restarts: int
    # memory of its processes, shared pages counted once where the system can tell; an equal share of it when one
    # process runs several parts; None when it was not measured
    memory_mb: int | None

    @property
    def is_running(self) -> bool:
        return self.state == "running"


def status(settings: Settings, *, memory: bool = True) -> list[PartStatus]:
    """Look at every part; works as well when nothing runs.

    Args:
        memory: Measure the memory, for which the system goes through all of it.
    """
    seen = _look(settings)
    sharing = Counter(each.program for each in seen)
    return [each.told(settings, sharing[each.program] if memory else 0) for each in seen]


def all_run(settings: Settings) -> bool:
    """Tell whether every part does its work."""
    return all(each.state == "running" for each in _look(settings))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is seen of a part at once."""

    part: Part
    program: str
    process: Process | None
    family: list[psutil.Process]
    uptime_s: int | None
    state: str

    def told(self, settings: Settings, sharing: int) -> PartStatus:
        alive = self.process if self.process and self.process.is_alive else None
        return PartStatus(
            name=self.part.name,
            program=self.program,
            state=self.state,
            pid=alive.pid if alive else None,
            url=self.part.url(settings),
            uptime_s=self.uptime_s,
            restarts=self.process.restarts if self.process else 0,
            memory_mb=_memory_mb(self.family, sharing) if alive and sharing else None,
        )


def _look(settings: Settings) -> list[_Seen]:
    processes = Supervisor(settings.home).processes()
    parts = parts_brought_up(settings)
    members = families(process.pid for process in processes.values() if process.is_alive)

    def look(part: Part) -> _Seen:
        program = part.program_in(processes)
        process = processes.get(program)
        family = members.get(process.pid, []) if process else []
        alive = process is not None and process.is_alive
        uptime_s = max(0, int(time.time()) - process.started_at) if process and alive else None
        state = _state(settings, part, process, family, uptime_s)
        return _Seen(part, program, process, family, uptime_s, state)

    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        return list(pool.map(look, parts))


def _state(
    settings: Settings,
    part: Part,
    process: Process | None,
    family: list[psutil.Process],
    uptime_s: int | None,
) -> str:
    if process is None or uptime_s is None:
        idle = {"BACKOFF": "restarting", "FATAL": "failed", "STOPPING": "stopping"}
        return idle.get(process.state, "stopped") if process else "stopped"
    if frozen(family):
        return "frozen"
    if part.is_ready(settings):
        return "running"
    return "starting" if uptime_s < STARTING_TIME_S else "unresponsive"


def _memory_mb(family: list[psutil.Process], sharing: int) -> int | None:
    """Sum the memory of a process and its descendants in MB, and divide it among the parts that share it."""
    return round(sum(map(_memory_bytes, family)) / sharing / 2**20) if family else None


def _memory_bytes(process: psutil.Process) -> int:
    try:
        # the share of a page used by n processes is 1/n, which matters for Postgres; Linux only
        return int(process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        pass
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # ended meanwhile, or of another account
