"""What a schema began with, brought back by emptying what was filled: its tables are made once, which takes longer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from psycopg import sql

from cdc.database import Connection
from cdc.sql import load_queries
from consumers.runtime.throwaway import with_names

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Rows and sequences of the schema that a connection is in."""

    rows: Mapping[str, bytes]  # table -> its rows as `copy` writes them; no table without rows
    columns: Mapping[str, Sequence[str]]  # table -> its columns that can be written
    sequences: Sequence[tuple[str, int, bool]]  # name, value, and whether that was given out
    triggers: Sequence[
        tuple[str, str]
    ]  # table and name: they had their say when the rows were first written

    @classmethod
    async def of(cls, connection: Connection) -> Self | None:
        """Return what there is now, or None when rows refer to each other, so that they have an order."""
        tables = await _filled(connection)
        found = await connection.execute(QUERIES["references"], {"tables": tables})
        if await found.fetchone():
            return None
        found = await connection.execute(QUERIES["triggers"], {"tables": tables})
        triggers = await found.fetchall()
        columns = {table: await _columns(connection, table) for table in tables}
        sequences = await (await connection.execute(QUERIES["sequences"])).fetchall()
        rows = {}
        for table in tables:
            statement = sql.SQL("copy {} to stdout").format(_with_columns(table, columns[table]))
            async with connection.cursor().copy(statement) as copy:
                rows[table] = b"".join([bytes(part) async for part in copy])
        return cls(rows, columns, sequences, triggers)

    async def bring_back(self, connection: Connection) -> None:
        """Empty what has rows now, and write those of the beginning."""
        if filled := await _filled(connection):
            names = sql.SQL(", ").join(map(sql.Identifier, filled))
            await connection.execute(sql.SQL("truncate {} cascade").format(names))
        for trigger in self.triggers:
            await connection.execute(with_names("alter table {} disable trigger {}", *trigger))
        for table, rows in self.rows.items():
            statement = sql.SQL("copy {} from stdin").format(
                _with_columns(table, self.columns[table])
            )
            async with connection.cursor().copy(statement) as copy:
                await copy.write(rows)
        for trigger in self.triggers:
            await connection.execute(with_names("alter table {} enable trigger {}", *trigger))
        for sequence in self.sequences:
            await connection.execute("select setval(%s::regclass, %s, %s)", sequence)


async def _filled(connection: Connection) -> list[str]:
    """Return the tables that have rows; of those with partitions, the partitions."""
    tables = [name for (name,) in await (await connection.execute(QUERIES["leaves"])).fetchall()]
    looks = [
        sql.SQL("select {} where exists (select from {})").format(name, sql.Identifier(name))
        for name in tables
    ]
    found = await connection.execute(sql.SQL(" union all ").join(looks))
    return [name for (name,) in await found.fetchall()]


async def _columns(connection: Connection, table: str) -> list[str]:
    found = await connection.execute(QUERIES["columns"], {"table": table})
    return [name for (name,) in await found.fetchall()]


def _with_columns(table: str, columns: Sequence[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("{} ({})").format(sql.Identifier(table), names)
