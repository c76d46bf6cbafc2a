"""The account that owns the database's files: Postgres refuses to run as root, so root lends it another one."""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import TailraceError

SUBSTITUTES = ("postgres", "_postgres", "nobody")


class AccountError(TailraceError):
    """There is no account Postgres could run under, or it cannot reach its files."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine other than the one that runs us."""

    name: str
    uid: int
    gid: int


def substitute() -> Account | None:
    """Return the account Postgres runs under, None if that is simply the present user."""
    if os.geteuid() != 0:
        return None
    for name in SUBSTITUTES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise AccountError(
        f"Postgres refuses to run as root and none of the accounts {', '.join(SUBSTITUTES)} exists: "
        "create one of them or run as an ordinary user."
    )


def make_shared_directory(path: Path) -> None:
    """Create the directory and its missing parents so that every account may enter them."""
    if path.is_dir():
        return
    make_shared_directory(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def open_directory(path: Path) -> None:
    """Let every account enter a directory, if it is ours to say so."""
    entry = path.stat()
    if entry.st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(entry.st_mode) | 0o055)


@contextmanager
def usual_umask() -> Iterator[None]:
    """Make files that everybody may read and nobody else may change, however the shell is set; secrets are closed."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def require_access(path: Path, account: Account) -> None:
    """Make sure that the account may enter the directory and all its parents."""
    for directory in reversed([path, *path.parents]):
        if directory.is_dir() and not _may_enter(directory.stat(), account):
            raise AccountError(
                f"Postgres runs as '{account.name}' because it refuses to run as root, and that account "
                f"cannot enter {directory}: set TAILRACE_HOME and TAILRACE_CACHE to directories it can "
                "enter, or run as an ordinary user."
            )


def _may_enter(entry: os.stat_result, account: Account) -> bool:
    if entry.st_uid == account.uid:
        return bool(entry.st_mode & stat.S_IXUSR)
    if entry.st_gid == account.gid:
        return bool(entry.st_mode & stat.S_IXGRP)
    return bool(entry.st_mode & stat.S_IXOTH)
