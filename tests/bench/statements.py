"""How many statements the server was asked for, by whom, counted in its own log."""

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from infra.local.supervision.conf import log_path
from infra.services import SUPERUSER
from tests.stack import RunningStack

SAID = re.compile(rb"^\S+ \S+ \S+ \[\d+\] (\w+)@\w+ LOG:  (?:statement|execute [^:]*): ")
SETTINGS = {"log_statement": "all", "log_parameter_max_length": "0"}
LOOK_S = 0.1
HEARD_AFTER_S = 0.5
"""Sessions take a changed setting over between two statements."""


@contextmanager
def counted(stack: RunningStack) -> Iterator[Counter[str]]:
    """Count the statements of each role while the block runs; the figures are there at its end."""
    asked = Counter[str]()
    log = log_path(stack.settings.home, "postgres")
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"alter system set {name} = '{value}'".encode())
        connection.execute("select pg_reload_conf()")
        time.sleep(HEARD_AFTER_S)
        over = threading.Event()
        counting = threading.Thread(target=_count, args=(log, log.stat().st_size, over, asked))
        counting.start()
        try:
            yield asked
        finally:
            over.set()
            counting.join()
            for name in SETTINGS:
                connection.execute(f"alter system reset {name}".encode())
            connection.execute("select pg_reload_conf()")


def _count(log: Path, begin: int, over: threading.Event, asked: Counter[str]) -> None:
    for line in written(log, begin, over):
        if said := SAID.match(line):
            asked[said[1].decode()] += 1


def written(log: Path, begin: int, over: threading.Event) -> Iterator[bytes]:
    """Yield the lines of a log as they come, also when another file takes its place, until it is over."""
    file = log.open("rb")
    file.seek(begin)
    try:
        while True:
            is_over = over.is_set()
            yield from file
            if os.fstat(file.fileno()).st_ino != log.stat().st_ino:
                yield from file  # what was written before it was put aside
                file.close()
                file = log.open("rb")
            elif is_over:
                return
            else:
                over.wait(LOOK_S)
    finally:
        file.close()
