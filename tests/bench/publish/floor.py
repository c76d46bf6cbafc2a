"""The floor of every reader of a slot: Postgres' own `pg_recvlogical`, which decodes the same WAL to nowhere."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from infra.local.account import substitute
from infra.local.postgres import installed
from infra.services import CAPTURE, PUBLICATION, SUPERUSER
from tests.bench.errors import BenchError
from tests.stack import RunningStack

SLOT = "bench_floor"


@contextmanager
def floor(stack: RunningStack, publication: str = PUBLICATION) -> Iterator[Callable[[], float]]:
    """Note where the WAL stands, and yield what decodes all that is written after, and returns the seconds it took."""
    with psycopg.connect(stack.database_url(SUPERUSER), autocommit=True) as connection:
        connection.execute(
            "select pg_create_logical_replication_slot(%s, 'pgoutput')", [SLOT]
        ).fetchall()
        try:
            yield lambda: _decode(stack, connection, publication)
        finally:
            connection.execute("select pg_drop_replication_slot(%s)", [SLOT])


def _decode(
    stack: RunningStack, connection: psycopg.Connection[tuple[str, ...]], publication: str
) -> float:
    [[end]] = connection.execute("select pg_current_wal_insert_lsn()::text").fetchall()
    # the end is looked at when something comes there
    connection.execute("select pg_logical_emit_message(true, 'bench', 'the end')")
    command = [
        str(installed(stack.settings.cache, substitute()) / "pg_recvlogical"),
        *("--dbname", stack.database_url(CAPTURE), "--no-password", "--no-loop"),
        *("--slot", SLOT, "--start", "--endpos", end, "--file", os.devnull),
        *("--option", "proto_version=1", "--option", f"publication_names={publication}"),
    ]
    begin = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    if result.returncode != 0:
        raise BenchError(f"pg_recvlogical failed: {result.stderr.strip()}")
    return seconds
