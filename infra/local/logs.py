"""The log of a part: its last lines, and what is written from now on."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from infra.errors import TailraceError
from infra.local.programs import program_of
from infra.local.supervision.client import tail
from infra.local.supervision.conf import log_path
from infra.settings import Settings

FOLLOW_INTERVAL_S = 0.2
SEARCHED_LINES = 100_000
"""Lines at the end of a log that several write to, among which those of one are looked for."""


class PartLog:
    """The log of a part; of a process that several parts share, the lines that the part itself has written."""

    def __init__(self, settings: Settings, part: str) -> None:
        program = program_of(part, settings)
        self._path = log_path(settings.home, program)
        if not self._path.is_file():
            raise TailraceError(f"There is no log of {part} yet: run `make up` first.")
        self._is_alone = program == part
        self._concerns = (lambda _line: True) if self._is_alone else lines_of(part)

    def last(self, number: int) -> list[str]:
        lines = tail(self._path, number if self._is_alone else SEARCHED_LINES)
        return [line for line in lines if self._concerns(line)][-number:]

    def follow(self) -> Iterator[str]:
        """Yield the lines that are appended, with their ends."""
        return filter(self._concerns, _appended(self._path))


def lines_of(service: str) -> Callable[[str], bool]:
    """Return what tells whether a line was written by a service; it is asked of all lines of a log in their order."""
    mark, is_its = f" service={service} ", False

    def concerns(line: str) -> bool:
        nonlocal is_its
        if line.startswith("time="):  # the lines of a traceback follow the one that they belong to
            is_its = mark in line
        return is_its

    return concerns


def _appended(path: Path) -> Iterator[str]:
    """Yield whole lines; supervisord starts a new file when one has grown too long."""
    pause = threading.Event()
    file = path.open(errors="replace")
    file.seek(0, os.SEEK_END)
    begun = ""
    try:
        while True:
            if text := file.readline():
                begun += text
                if begun.endswith("\n"):
                    yield begun
                    begun = ""
            elif path.is_file() and not os.path.samestat(path.stat(), os.fstat(file.fileno())):
                file.close()
                file = path.open(errors="replace")
            else:
                pause.wait(FOLLOW_INTERVAL_S)
    finally:
        file.close()
