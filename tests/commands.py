"""Programs of ours without the time that Python takes to import them: in processes forked from one that has done so.

Importing is most of what most commands do, and tests call hundreds of them. What a command imports by itself, and how
long that takes, is for the tests that start one as a program of its own.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

IMPORTED = [
    "__main__",
    "infra.cli.doctor",
    "infra.cli.stack",
    "infra.local.doctor",
    "infra.cli.events",
    "infra.cli.outbox.verify",
    "infra.cli.parked.retry",
    "infra.cli.topics",
    "cdc.relay.relay",
    "consumers.runtime.process",
    "schemas.messages.canary",
    "schemas.messages.payments",
]
"""They import most of what programs do; nothing happens at an import. A fork wants the program that forks, too."""
NAMES = ("stdout", "stderr")

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(IMPORTED)


def run(
    module: str,
    arguments: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    timeout_s: float,
) -> "subprocess.CompletedProcess[str]":
    """Run a module as `python -m` would, and return what it has written and ended with.

    Args:
        module: The module.
        arguments: What it is called with.
        directory: Where it runs.
        environment: All that its environment holds.
        timeout_s: How long it may take, in seconds.

    Raises:
        subprocess.TimeoutExpired: it took longer, and was killed.
    """
    called = [sys.executable, "-m", module, *arguments]
    with tempfile.TemporaryDirectory() as written:
        files = [Path(written) / name for name in NAMES]
        process = start(
            module, arguments, directory=directory, environment=environment, files=files
        )
        try:
            process.join(timeout_s)
            if process.is_alive():
                raise subprocess.TimeoutExpired(called, timeout_s)
        finally:
            process.kill()
            process.join()
            code = process.exitcode or 0
            process.close()
        said = [file.read_text() for file in files]
    return subprocess.CompletedProcess(called, code, *said)


def start(
    module: str,
    arguments: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    files: Sequence[Path],
) -> ForkServerProcess:
    """Start a module as `python -m` would; it is ended with whoever has started it.

    Args:
        module: The module.
        arguments: What it is called with.
        directory: Where it runs.
        environment: All that its environment holds.
        files: Where its output and its errors go; what is there stays.
    """
    work = (module, [*arguments], directory, dict(environment), [*files])
    process = _FORKS.Process(target=_work, args=work, daemon=True)
    process.start()
    return process


def _work(
    module: str,
    arguments: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    files: Sequence[Path],
) -> None:
    for descriptor, (name, file) in enumerate(zip(NAMES, files, strict=True), 1):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
        setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)
