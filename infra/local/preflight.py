"""What must be true before anything is started; each check raises one sentence."""

import shutil
import sys
from collections.abc import Collection
from pathlib import Path

import psutil

from infra.errors import TailraceError
from infra.local.parts import parts_of
from infra.local.probe import port_is_free
from infra.settings import Settings

OLDEST_PYTHON = (3, 11)


class PreflightError(TailraceError):
    """This machine cannot run the stack as it is."""


def check_machine(settings: Settings) -> None:
    check_python(sys.version_info[:2])
    for directory in (settings.home, settings.cache):
        check_disk(directory, settings.min_free_disk_mb)


def check_python(found: tuple[int, int]) -> None:
    if found < OLDEST_PYTHON:
        raise PreflightError(
            f"Tailrace needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer and this is "
            f"{'.'.join(map(str, found))}: run `make PYTHON=python3.12 up` with a newer one."
        )


def check_disk(directory: Path, wanted_mb: int) -> None:
    existing = next(path for path in (directory, *directory.parents) if path.is_dir())
    free_mb = shutil.disk_usage(existing).free // 2**20
    if free_mb < wanted_mb:
        raise PreflightError(
            f"Only {free_mb} MB are free where {directory} lies and {wanted_mb} MB are wanted: free some "
            "space, or lower min_free_disk_mb."
        )


def check_profile(settings: Settings) -> None:
    """Refuse a profile that is not that of the data: the records of one broker are not those of three."""
    found = settings.shape_of_data
    if found is None or settings.profile in {"auto", found}:
        return
    raise PreflightError(
        f"The data in {settings.home} are those of the profile {found}, and {settings.profile} is asked for; what "
        f"Kafka keeps there cannot be moved from one to the other. Run `make up PROFILE={found}` to go on with them, "
        f"or begin another stack with its own TAILRACE_HOME; `make reset` deletes these data."
    )


def check_ports(settings: Settings, *, running: Collection[str]) -> None:
    """Refuse ports which somebody else listens on."""
    ports = settings.ports()
    for part in parts_of(settings):
        for name in () if set(running).intersection(part.programs) else part.ports:
            if name in ports and not port_is_free(ports[name]):
                raise PreflightError(
                    f"Port {ports[name]}, wanted by {part.name}, is taken{_by_whom(ports[name])}: stop that "
                    f"program, or choose another port with TAILRACE_{name.upper()} or in tailrace.toml."
                )


def _by_whom(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
        pid = next(
            connection.pid
            for connection in connections
            if connection.pid
            and connection.status == psutil.CONN_LISTEN
            and connection.laddr.port == port
        )
        return f" by {psutil.Process(pid).name()} (process {pid})"
    except (StopIteration, psutil.Error, OSError):
        return ""  # only root may see the processes of others on some systems
