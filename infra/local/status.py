"""How every part is: seen from supervisord, from its port, and from the operating system."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from infra.local.parts import Part, parts_with
from infra.local.programs import publisher
from infra.local.supervision.client import Process, Supervisor
from infra.local.supervision.frozen import frozen
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
    # process runs several parts
    memory_mb: int | None

    @property
    def is_running(self) -> bool:
        return self.state == "running"


def status(settings: Settings) -> list[PartStatus]:
    """Look at every part; works as well when nothing runs."""
    processes = Supervisor(settings.home).processes()
    parts = parts_with(publisher(settings))
    programs = [part.program_in(processes) for part in parts]
    sharing = Counter(programs)

    def look(part: Part, program: str) -> PartStatus:
        return _part_status(settings, part, program, processes.get(program), sharing[program])

    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        return list(pool.map(look, parts, programs))


def _part_status(
    settings: Settings, part: Part, program: str, process: Process | None, sharing: int
) -> PartStatus:
    alive = process is not None and process.is_alive
    uptime_s = max(0, int(time.time()) - process.started_at) if process and alive else None
    return PartStatus(
        name=part.name,
        program=program,
        state=_state(settings, part, process, uptime_s),
        pid=process.pid if process and alive else None,
        url=part.url(settings),
        uptime_s=uptime_s,
        restarts=process.restarts if process else 0,
        memory_mb=_memory_mb(process.pid, sharing) if process and alive else None,
    )


def _state(settings: Settings, part: Part, process: Process | None, uptime_s: int | None) -> str:
    if process is None or uptime_s is None:
        idle = {"BACKOFF": "restarting", "FATAL": "failed", "STOPPING": "stopping"}
        return idle.get(process.state, "stopped") if process else "stopped"
    if frozen(process.pid):
        return "frozen"
    if part.is_ready(settings):
        return "running"
    return "starting" if uptime_s < STARTING_TIME_S else "unresponsive"


def _memory_mb(pid: int, sharing: int) -> int | None:
    """Sum the memory of a process and its children in MB, and divide it among the parts that share it."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
        return round(sum(map(_memory_bytes, family)) / sharing / 2**20)
    except psutil.Error:
        return None


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
