"""Java's start-up caches for the stacks of the tests, which start some dozens of JVMs.

A user's stack has them after its first `make up`. Here `python -m tests.java_caches` makes them, if they are missing,
while tests run that need no stack.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from infra.errors import TailraceError
from infra.local.java import aot, artifacts
from infra.local.java.flock import exclusive
from infra.settings import REPOSITORY, load_settings

END_S = 60.0


def make() -> None:
    """Make the caches that are missing, or wait for whoever is at it; quick when all are there."""
    cache = load_settings().cache
    with exclusive(cache / "java" / "aot" / ".tests"):
        try:
            artifacts.ensure(cache, optional=artifacts.OPTIONAL)
            aot.train(cache)
        except TailraceError as error:
            sys.stderr.write(f"{error}\n")  # everything works without them, only slower to start


@contextmanager
def being_made() -> Iterator[None]:
    """Have another process make them while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.java_caches"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(END_S)


if __name__ == "__main__":
    # ends the JVMs and removes the scratch directory, as any other exception does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    make()
