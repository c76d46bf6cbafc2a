"""Gives live tables the rows of others, inside a transaction of the caller's, changing only what differs.

Rows are changed, and not the tables put in place of each other: grants, indexes, views and plans stay what they are,
and whoever reads sees the old rows until the commit and the new ones afterwards, without waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from cdc.database import Connection
from cdc.sql import load_queries
from consumers.replay.errors import ReplayError

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class Swapped:
    """What became of a table."""

    table: str
    rows: int
    removed: int
    written: int


async def swap(
    connection: Connection, tables: Sequence[str], *, made: str, live: str
) -> list[Swapped]:
    """Give live tables the rows of others.

    Raises:
        ReplayError: a table has no primary key.
    """
    cursor = await connection.execute(QUERIES["own_tables"], {})
    shapes = {name: (key, columns) for name, key, columns, _ in await cursor.fetchall()}
    return [await _swap(connection, table, made, live, *shapes[table]) for table in tables]


async def _swap(
    connection: Connection,
    table: str,
    made: str,
    live: str,
    key: Sequence[str],
    columns: Sequence[str],
) -> Swapped:
    if not key:
        raise ReplayError(f"{table} has no primary key, by which its rows could be told apart")
    names = {"made": sql.Identifier(made, table), "live": sql.Identifier(live, table)}
    same_key = sql.SQL(" and ").join(
        sql.SQL("made.{0} = live.{0}").format(sql.Identifier(name)) for name in key
    )
    removed = await connection.execute(
        sql.SQL(
            "delete from {live} as live where not exists (select from {made} as made where {same_key})"
        ).format(**names, same_key=same_key)
    )
    others = [sql.Identifier(name) for name in columns if name not in key]
    written = await connection.execute(
        sql.SQL(
            "insert into {live} as live ({columns}) overriding system value select {columns} from {made} "
            "on conflict ({key}) do {update}"
        ).format(
            **names,
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            key=sql.SQL(", ").join(map(sql.Identifier, key)),
            update=_update(others),
        )
    )
    cursor = await connection.execute(sql.SQL("select count(*) from {live}").format(**names))
    [[rows]] = await cursor.fetchall()
    return Swapped(table, rows, removed.rowcount, written.rowcount)


def _update(columns: Sequence[sql.Identifier]) -> sql.Composable:
    if not columns:
        return sql.SQL("nothing")
    return sql.SQL("update set {assignments} where {differs}").format(
        assignments=sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(each) for each in columns
        ),
        differs=sql.SQL(" or ").join(
            sql.SQL("live.{0} is distinct from excluded.{0}").format(each) for each in columns
        ),
    )
