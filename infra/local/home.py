"""The home of one stack: the directory with its data, secrets and logs, and the lock that guards it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import TailraceError
from infra.local.account import make_shared_directory, substitute
from infra.local.java import flock

MARKER = ".tailrace-home"


class HomeError(TailraceError):
    """The home directory cannot be used."""


def is_home(home: Path) -> bool:
    return (home / MARKER).is_file()


def is_something_else(home: Path) -> bool:
    """Tell whether what lies there keeps a home from being made."""
    return home.exists() and not is_home(home) and (not home.is_dir() or any(home.iterdir()))


def may_be_deleted(home: Path) -> bool:
    """Tell whether there is a home; what lies there and is none is refused."""
    if home.exists() and not is_home(home):
        raise HomeError(
            f"{home} is not a home of Tailrace (it has no {MARKER}), so nothing was deleted."
        )
    return home.exists()


def prepare_home(home: Path) -> None:
    """Create the home if it is missing; nothing changes if it is there."""
    if not is_home(home):
        if is_something_else(home):
            raise HomeError(
                f"{home} exists and is not a home of Tailrace: choose another directory with TAILRACE_HOME."
            )
        _create(home)
    for name in ("secrets", "supervisor", "logs", "schema-cache"):
        directory = home / name
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)


def _create(home: Path) -> None:
    try:
        if substitute() is None:
            home.mkdir(parents=True, exist_ok=True)
            home.chmod(0o700)
        else:
            make_shared_directory(home)
            home.chmod(0o755)  # the account that runs Postgres must pass through
        (home / MARKER).write_text(
            "Data, secrets and logs of a Tailrace stack. `make reset` deletes it.\n"
        )
    except OSError as error:
        raise HomeError(
            f"{home} cannot be created ({error.strerror}): set TAILRACE_HOME to a directory you may write."
        ) from error


def delete_home(home: Path) -> None:
    """Delete the home with everything in it; a home that does not exist is fine."""
    if not may_be_deleted(home):
        return
    # the marker goes last, so that an interrupted deletion can be repeated
    for entry in home.iterdir():
        if entry.name == MARKER:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    (home / MARKER).unlink()
    home.rmdir()


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Hold the home's lock: one command at a time may start, stop or delete the stack."""
    with flock.exclusive(home / MARKER, wait=False) as mine:
        if not mine:
            raise HomeError(
                f"Another command is starting or stopping the stack in {home}: wait for it and try again."
            )
        yield


@contextmanager
def prepared(home: Path) -> Iterator[None]:
    """Create the home if it is missing, and hold its lock."""
    prepare_home(home)
    with exclusive(home):
        yield
