"""Servers of others that a test runs for itself: started, awaited, killed, started again, gone at the end."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx2
import pytest

from tests import plain_http

PATIENCE_S = 240.0  # a JVM on a busy machine


class ServerProcess:
    """A server that may be killed and started again, with the data it had.

    Args:
        argv: Its command line.
        env: Its whole environment.
        directory: Where it runs; its log is there.
        is_ready: Tells whether it answers; it may raise while it does not.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        directory: Path,
        is_ready: Callable[[], bool],
    ) -> None:
        self._argv = list(argv)
        self._env = dict(env)
        self._directory = directory
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                env=self._env,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self._is_ready():
                    return
            except (httpx2.HTTPError, OSError):
                pass
            time.sleep(0.02)
        self.kill()
        pytest.fail(f"{self._argv[0]} did not become ready:\n{self._log.read_text()[-3000:]}")

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def _log(self) -> Path:
        return self._directory / "log"


def answers(url: str) -> Callable[[], bool]:
    """Return what tells whether a server answers with success there."""
    return lambda: plain_http.get(url).is_success
