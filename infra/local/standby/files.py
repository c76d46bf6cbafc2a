"""What the data directories of the servers tell, and how one is fenced: whoever starts it then gets no primary."""

import contextlib
import os
import shutil

import psutil

from infra.local.postgres import mark_as_standby
from infra.local.supervision.client import Supervisor
from infra.settings import Settings

FENCED = "data.fenced"
ENDED_S = 10.0


def present(settings: Settings) -> tuple[str | None, str | None]:
    """Return the server whose data are a primary's, and the one whose data are a standby's."""
    servers = [name for name in settings.postgres_ports if settings.has_data(name)]
    primary = next((name for name in servers if not settings.is_standby(name)), None)
    return primary, next((name for name in servers if settings.is_standby(name)), None)


def fenced(settings: Settings) -> str | None:
    """Return the server whose data were set aside by a promotion."""
    names = settings.postgres_ports
    return next((name for name in names if (settings.home / name / FENCED).is_dir()), None)


def fence(settings: Settings, name: str) -> None:
    """End a server for good and set its data aside, so that it never takes a write again; may be repeated.

    They are marked as a standby's besides: a server that somebody starts on them, where they lie, takes no writes.
    """
    supervisor = Supervisor(settings.home)
    if name in supervisor.processes():
        supervisor.kill(name)
    _end_strays(settings, name)
    data, aside = (settings.home / name / each for each in ("data", FENCED))
    if data.is_dir():
        if aside.is_dir():
            shutil.rmtree(aside)
        mark_as_standby(data)
        data.rename(aside)
        _flush(aside.parent)


def drop_fenced(settings: Settings, name: str) -> None:
    """Delete the data that were set aside, which nobody needs any more."""
    aside = settings.home / name / FENCED
    if aside.is_dir():
        shutil.rmtree(aside)


def _end_strays(settings: Settings, name: str) -> None:
    """End what works on the data although nobody supervises it."""
    places = {str(settings.home / name / each) for each in ("data", FENCED)}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == "postgres" and process.cwd() in places:
                process.kill()
                found.append(process)
    psutil.wait_procs(found, ENDED_S)


def _flush(directory: os.PathLike[str]) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
