"""The parts as metrics: whether each does its work; of the local stack also what its processes take."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil

from cdc.metrics import Metric, counter, gauge
from infra.deployment import Deployment
from infra.metrics.gathering import Look, Source
from infra.operations.doctor import examine, publisher_of
from infra.operations.doctor.servers import server_checks

if TYPE_CHECKING:
    from infra.settings import Settings


def part_sources(
    deployment: Deployment, local: "Settings | None", every_s: float
) -> tuple[Source, ...]:
    """Return the source of the parts.

    Args:
        local: Of the local stack, whose processes can be looked at; None elsewhere.
        every_s: How often they are looked at.
    """

    @contextmanager
    def parts() -> Iterator[Look]:
        yield lambda: list(_elsewhere(deployment.to_look()) if local is None else _local(local))

    return (Source("parts", parts, every_s),)


def _elsewhere(deployment: Deployment) -> Iterator[Metric]:
    checks = server_checks(deployment, publisher_of(deployment))
    yield _up({each.name: each.state == "ok" for each in examine(checks, "")})


def _up(states: dict[str, bool]) -> Metric:
    return gauge(
        "tailrace_part_up",
        "Whether a server, service or worker does its work.",
        {(name,): up for name, up in states.items()},
        ["part"],
    )


def _local(settings: "Settings") -> Iterator[Metric]:
    # which is not there where only commands are installed
    from infra.local.status import status
    from infra.local.supervision.client import Supervisor
    from infra.local.supervision.frozen import families

    seen = status(settings, memory=False)
    yield _up({each.name: each.is_running for each in seen})
    processes = Supervisor(settings.home).processes()
    yield counter(
        "tailrace_program_restarts_total",
        "How often a program was started again after it had ended by itself.",
        {(name,): each.restarts for name, each in processes.items()},
        ["program"],
    )
    alive = {name: each.pid for name, each in processes.items() if each.is_alive}
    members = families(alive.values())
    taken = {(name,): _taken(members[pid]) for name, pid in alive.items()}
    yield counter(
        "tailrace_program_cpu_seconds_total",
        "Processor time of a program, with that of processes that it has started.",
        {name: each[0] for name, each in taken.items()},
        ["program"],
    )
    yield gauge(
        "tailrace_program_private_memory_bytes",
        "Memory of a program that it shares with no other.",
        {name: each[1] for name, each in taken.items()},
        ["program"],
    )


def _taken(family: Iterable[psutil.Process]) -> tuple[float, float]:
    """Return processor time in seconds, and memory in bytes, of the processes of a program."""
    seconds = size = 0.0
    for process in family:
        with suppress(psutil.Error):  # it has ended meanwhile
            times, memory = process.cpu_times(), process.memory_info()
            # of those that have ended, whoever started them has the time
            seconds += sum(
                getattr(times, kind, 0.0)
                for kind in ("user", "system", "children_user", "children_system")
            )
            size += memory.rss - getattr(memory, "shared", 0)
    return seconds, size
