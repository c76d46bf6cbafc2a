"""DBOS at work: in a virtual environment and a database of its own, on the same server."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from cdc import migrations
from cdc.ids import new_id
from infra.local.supervision.conf import MARKER_VARIABLE
from infra.services import SUPERUSER
from infra.settings import HOST
from tests.bench.environments import environment
from tests.bench.errors import BenchError
from tests.bench.sagas.contender import DBOS
from tests.bench.sagas.ours import ARTICLES, QUERIES
from tests.stack import RunningStack

HERE = Path(__file__).parent
LOCK, PROGRAM = HERE / "dbos.lock", HERE / "dbos_workflow.py"
DATABASE = ROLE = "dbos_sagas"
SCHEMAS = ("payments", "inventory", "shipping")
"""Of the rows that its steps write, by the migrations of ours."""


class ByDbos:
    """Workflows of DBOS, worked off by one process.

    Args:
        process: The process.
        connection: Its database, in autocommit.
    """

    name = DBOS
    roles = (ROLE,)

    def __init__(
        self, process: "subprocess.Popen[str]", connection: psycopg.Connection[tuple[int]]
    ) -> None:
        self._process = process
        self._connection = connection
        self._before = 0

    def place(self, count: int) -> None:
        """Put workflows into the queue in one transaction."""
        self._before = self._succeeded()
        self._connection.execute(QUERIES["enqueue"], {"count": count, "articles": ARTICLES})

    def finished(self) -> int:
        """Return how many of them have succeeded."""
        return self._succeeded() - self._before

    def one(self) -> float:
        """Have the process run a workflow at once, not through the queue; return how many seconds that took."""
        order = json.dumps([str(new_id()), "article-0", 2, "9.00"])
        begin = time.perf_counter()
        print(order, file=self._process.stdin, flush=True)
        _expect("done", self._process)
        return time.perf_counter() - begin

    def _succeeded(self) -> int:
        [[found]] = self._connection.execute(QUERIES["succeeded"]).fetchall()
        return found


@contextmanager
def by_dbos(stack: RunningStack) -> Iterator[ByDbos]:
    """Run DBOS on a database of its own of the stack's server.

    Raises:
        BenchError: it does not run.
    """
    python = environment(LOCK)
    password = new_id().hex
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as server:
        names = {"name": sql.Identifier(ROLE), "password": sql.Literal(password)}
        server.execute(sql.SQL("create role {name} login password {password}").format(**names))
        server.execute(sql.SQL("create database {name} owner {name}").format(**names))
    url = f"postgresql://{ROLE}:{password}@{HOST}:{stack.settings.postgres_port}/{DATABASE}"
    for schema in SCHEMAS:
        with psycopg.connect(url) as connection:
            connection.execute(f"create schema {schema}".encode())
        migrations.upgrade(url, schema=schema, packages=[f"consumers.{schema}.migrations"])
    with psycopg.connect(stack.database_url(SUPERUSER, DATABASE), autocommit=True) as connection:
        connection.execute(QUERIES["stock"], {"articles": ARTICLES})
        with _running(python, url, stack) as process:
            yield ByDbos(process, connection)


@contextmanager
def _running(python: Path, url: str, stack: RunningStack) -> Iterator["subprocess.Popen[str]"]:
    home = stack.settings.home
    with (home / "logs" / "dbos.log").open("wb") as log:
        process = subprocess.Popen(
            [python, PROGRAM],
            # the marker sees to it that it does not outlive the stack
            env={"DBOS_URL": url, MARKER_VARIABLE: str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        _expect("ready", process)
        yield process
    finally:
        process.kill()
        process.wait()


def _expect(word: str, process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    if process.stdout.readline().strip() != word:
        raise BenchError(f"DBOS has ended with {process.wait()}; dbos.log says why.")
