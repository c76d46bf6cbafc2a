"""What the supervisor runs: one process, described as data without secrets."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from infra.repository import REPOSITORY


@dataclass(frozen=True, slots=True)
class Program:
    """A process to be supervised."""

    name: str
    # command line; visible to every account of the machine, hence without secrets
    argv: tuple[str, ...]
    env: dict[str, str]  # variables added to those all programs share; without secrets as well
    directory: Path
    stage: int  # programs are stopped in descending order of it (10 = the database, stopped last)
    account: str | None = None  # run as this account instead of our own
    stop_signal: str = "TERM"  # asks for an orderly end
    # send the stop signal to the whole process group, not only to the process
    stop_group: bool = True
    stop_wait_s: int = 20  # seconds until an orderly end is given up and the process killed
    restart: bool = True  # start it again when it ends by itself
    # changes when a running process must be replaced to obey the present settings
    fingerprint: str = field(default="", kw_only=True)


def fingerprint(argv: Iterable[str], env: dict[str, str], files: Iterable[Path] = ()) -> str:
    """Digest what a process is started with.

    Java's start-up cache (`-XX:AOT...`) is left out: that it has appeared is no reason to restart
    a broker which runs well without it.
    """
    digest = hashlib.sha256()
    stable = [word for word in argv if not word.startswith("-XX:AOT")]
    digest.update(json.dumps([stable, sorted(env.items())]).encode())
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def python_program(name: str, argv: tuple[str, ...], environment: dict[str, str]) -> Program:
    environment = environment | {"PYTHONUNBUFFERED": "1"}
    return Program(
        name=name,
        argv=argv,
        env=environment,
        directory=REPOSITORY,
        stage=40,
        fingerprint=fingerprint(argv, environment),
    )
