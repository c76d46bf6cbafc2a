"""One worker under test: a process of its own, started, hit with signals, and asked how it is."""

import json
import os
import re
import signal
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from infra.local.supervision.client import tail
from infra.settings import HOST, REPOSITORY
from tests import commands

LISTENING = re.compile(r'event="health endpoints" .*\bport=(\d+)')
SERVICE = re.compile(r" service=\S+")
ANSWER_TIMEOUT_S = 2.0


class WorkerProcess:
    """A worker.

    Args:
        module: Module to run.
        environment: Everything that it is told.
        log: File that it writes to; what is there stays.
    """

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self.environment = environment
        self.is_frozen = False
        self._log = log
        log.touch()
        self._process = commands.start(
            module, (), directory=REPOSITORY, environment=environment, files=(log, log)
        )
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def status(self) -> int | None:
        """What it ended with, negative for a signal; None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        """End it at once, as by the loss of its machine."""
        self._process.kill()
        self._process.join()

    def freeze(self) -> None:
        """Stop its clock."""
        self._signal(signal.SIGSTOP)
        self.is_frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self.is_frozen = False

    def ask_to_stop(self) -> None:
        """Ask it to end in good order."""
        self._signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> int:
        """Wait until it has ended, and return with what.

        Raises:
            TimeoutError: it still runs.
        """
        self._process.join(timeout_s)
        if self.status is None:
            raise TimeoutError(f"process {self.pid} has not ended after {timeout_s:g} s")
        return self.status

    def health(self) -> dict[str, Any] | None:
        """Return what it says of itself, None while it does not answer."""
        answer = self._get("/health")
        return None if answer is None else answer[1]

    def partitions(self) -> dict[int, dict[str, Any]]:
        """Return what it says of the partitions that it holds, by their numbers."""
        health = self.health() or {"partitions": []}
        return {partition["partition"]: partition for partition in health["partitions"]}

    def is_ready(self) -> bool:
        """Whether it says that it holds its place in the group."""
        answer = self._get("/ready")
        return answer is not None and answer[0] == 200

    def log(self) -> str:
        """Return what it has written."""
        return self._log.read_text(errors="replace")

    def last_words(self) -> str:
        """Return the end of what it has written."""
        lines = (f"\n    {SERVICE.sub('', line)}" for line in tail(self._log, 25))
        return f"{self._log.name}, process {self.pid}, status {self.status}:{''.join(lines)}"

    def _signal(self, number: signal.Signals) -> None:
        if self.status is None:
            os.kill(self.pid, number)

    def _get(self, path: str) -> tuple[int, dict[str, Any]] | None:
        ports = LISTENING.findall(self.log())
        if not ports:
            return None
        connection = HTTPConnection(HOST, int(ports[-1]), timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
