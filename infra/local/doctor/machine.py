"""Checks of the machine and of the files: what must hold before any part can run."""

import shutil
import stat
import sys
from functools import partial

from infra.local import aot, preflight
from infra.local.home import is_home, is_something_else
from infra.local.java import aot as java_aot
from infra.local.java import artifacts
from infra.local.supervision import leftovers
from infra.local.supervision.client import Supervisor
from infra.operations.doctor.check import Check, Trouble
from infra.settings import Settings


def _python(_settings: Settings) -> str:
    preflight.check_python(sys.version_info[:2])
    return ".".join(map(str, sys.version_info[:3]))


def _disk(settings: Settings) -> str:
    for directory in (settings.home, settings.cache):
        preflight.check_disk(directory, settings.min_free_disk_mb)
    existing = next(path for path in (settings.home, *settings.home.parents) if path.is_dir())
    return f"{shutil.disk_usage(existing).free // 2**30} GB free"


def _home(settings: Settings) -> str:
    if is_something_else(settings.home):
        raise Trouble(
            f"{settings.home} exists and is not a home of Tailrace",
            "choose another directory with TAILRACE_HOME",
        )
    if not is_home(settings.home):
        raise Trouble(f"{settings.home} does not exist yet", "run `make up`")
    return str(settings.home)


def _secrets(settings: Settings) -> str:
    files = sorted(settings.secrets.iterdir())
    for path in (settings.secrets, *files):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise Trouble(f"{path} is open to other accounts ({mode:o})", f"run `chmod go= {path}`")
    return f"{len(files)} files, closed to other accounts"


def _artifacts(settings: Settings) -> str:
    if missing := artifacts.missing(settings.cache):
        raise Trouble(
            f"{len(missing)} Java files are missing from {settings.cache}", "run `make up`"
        )
    return f"complete in {settings.cache}"


def _start_up_cache(settings: Settings) -> str:
    if settings.aot == "off":
        return "switched off"
    if java_aot.trained(settings.cache):
        return "made"
    training = Supervisor(settings.home).processes().get(aot.NAME)
    if training and training.is_alive:
        return "being made; parts start without it, only slower"
    if training and training.state in {"EXITED", "FATAL"}:
        raise Trouble(
            "could not be made", f"see `tailrace logs {aot.NAME}`; parts start without it"
        )
    return "not made yet; parts start without it, only slower"


def _supervision(settings: Settings) -> str:
    if Supervisor(settings.home).is_running():
        return "supervisord is at work"
    if orphans := leftovers.find(settings.home):
        raise Trouble(f"{len(orphans)} processes run without supervisord", "run `make up`")
    return "nothing runs"


def _ports(settings: Settings) -> str:
    alive = [
        process.name
        for process in Supervisor(settings.home).processes().values()
        if process.is_alive
    ]
    preflight.check_ports(settings, running=alive)
    return f"{', '.join(map(str, settings.ports().values()))} are free or ours"


def machine_checks(settings: Settings) -> tuple[Check, ...]:
    return (
        Check("python", partial(_python, settings)),
        Check("disk", partial(_disk, settings)),
        Check("java artifacts", partial(_artifacts, settings)),
        Check("java start-up cache", partial(_start_up_cache, settings)),
        Check("home", partial(_home, settings)),
        Check("supervision", partial(_supervision, settings)),
        Check("ports", partial(_ports, settings), needs=("supervision",)),
        Check("secrets", partial(_secrets, settings), needs=("home",)),
    )
