"""Copying the schema of a context from one database to another, whole or not at all, by pg_dump and psql."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from cdc import causes
from cdc.database import SyncConnection, connect
from infra import postgres_tools
from infra.deployment import Capture
from infra.moving.marks import COPY
from infra.postgres_tools import BINARIES
from infra.services import OWNER

CHUNK = 2**20
SAME_SERVER = "select system_identifier::text from pg_control_system()"
POSITIONS = """
select c.oid::regclass::text, a.attname, format_type(a.atttypid, null)
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and not a.attisdropped
where c.relnamespace = %s::regnamespace and c.relkind = 'r' and a.atttypid in ('xid8'::regtype, 'pg_lsn'::regtype)
"""
BEFORE_ANY: Mapping[str, str] = {"xid8": "0", "pg_lsn": "0/0"}
"""Type of a column -> what in it is of before everything of a server: the positions of another one say nothing here."""


class CopyError(Exception):
    """A schema could not be copied; the text says why."""


def copy_schema(source: Capture, target: Capture, context: str) -> None:
    """Copy a schema with its tables, rows, sequences, functions and grants; the copy is marked as one.

    Nothing may write to it meanwhile. A copy of before is thrown away.
    """
    with connect(target.url(OWNER)) as connection:
        connection.execute(
            sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(context))
        )
    dump = _program("pg_dump", source.url(OWNER), f'--schema="{context}"', "--no-publications")
    load = _program("psql", target.url(OWNER), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
    pump(dump, load, _marked(context, f"{COPY}{source.database.name}"))
    _forget_positions(source, target, context)


def _program(name: str, url: str, *options: str) -> Sequence[str]:
    return (str(postgres_tools.package() / BINARIES / name), f"--dbname={url}", *options)


def _marked(context: str, mark: str) -> bytes:
    statement = sql.SQL("\ncomment on schema {} is {};\ncommit;\n")
    return statement.format(sql.Identifier(context), sql.Literal(mark)).as_string().encode()


def pump(dump: Sequence[str], load: Sequence[str], ending: bytes) -> None:
    """Run one program into another; what is loaded is committed only if the first one came to its end."""
    options: dict[str, Any] = {"env": {"PATH": os.defpath, "LC_ALL": "C"}}
    with (
        subprocess.Popen(
            dump, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        ) as reading,
        subprocess.Popen(
            load,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **options,
        ) as writing,
    ):
        assert reading.stdout and writing.stdin  # noqa: S101, PT018 - both are pipes
        broken = False
        try:
            writing.stdin.write(b"begin;\n")
            while chunk := reading.stdout.read(CHUNK):
                writing.stdin.write(chunk)
        except BrokenPipeError:  # it has said why
            broken = True
            reading.kill()
        _, complaint = reading.communicate()
        if reading.returncode == 0:
            _, refusal = writing.communicate(ending)
        else:
            _, refusal = writing.communicate()
    if reading.returncode != 0 and not broken:
        raise CopyError(f"pg_dump failed: {_told(complaint)}")
    if writing.returncode != 0 or broken:
        raise CopyError(f"psql failed: {_told(refusal)}")


def _told(output: bytes) -> str:
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    reason = next((line for line in lines if "ERROR" in line or "error" in line), "")
    return causes.redacted(causes.in_line(reason or " ".join(lines[-1:]) or "no reason told"))


def _forget_positions(source: Capture, target: Capture, context: str) -> None:
    """Take what names positions of another server's WAL and transactions for things of long ago."""
    with (
        connect(target.url(target.database.superuser)) as here,
        connect(source.url(source.database.superuser), autocommit=True) as there,
    ):
        if here.execute(SAME_SERVER).fetchall() == there.execute(SAME_SERVER).fetchall():
            return
        here.execute("set local session_replication_role = replica")
        for table, column, kind in here.execute(POSITIONS, [context]).fetchall():
            _reset(here, table, column, BEFORE_ANY[kind])


def _reset(connection: SyncConnection, table: str, column: str, value: str) -> None:
    # the name of the table is quoted where need be, as Postgres has written it
    connection.execute(
        sql.SQL("update {} set {} = {}").format(
            sql.SQL(table),
            sql.Identifier(column),
            sql.Literal(value),
        )
    )
