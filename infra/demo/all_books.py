"""The books of all services where they are kept in several databases: brought together in one session."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import sql

from cdc.database import SyncConnection, connect
from infra.demo.books import TABLES, disagreements
from infra.deployment import Deployment
from infra.services import OWNER


def all_disagreements(
    deployment: Deployment, *, since: datetime, order_ids: Sequence[str] | None = None
) -> list[str]:
    """Return in which way the books disagree, see `disagreements`."""
    with connect(deployment.main.url(OWNER)) as connection:
        for table, context in TABLES.items():
            if context not in deployment.main.contexts:
                _bring(deployment, connection, context, table)
        return disagreements(connection, since=since, order_ids=order_ids)


def _bring(deployment: Deployment, connection: SyncConnection, context: str, table: str) -> None:
    """Copy a table of another database into a temporary one, which is found before any other of its name."""
    place = sql.Identifier(context, table)
    with connect(deployment.capture_of(context).url(OWNER)) as away:
        columns = away.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
            [f"{context}.{table}"],
        ).fetchall()
        made = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns
        )
        connection.execute(
            sql.SQL("create temporary table {} ({}) on commit drop").format(
                sql.Identifier(table), made
            )
        )
        names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
        given = sql.SQL("copy (select {} from {}) to stdout").format(names, place)
        taken = sql.SQL("copy pg_temp.{} ({}) from stdin").format(sql.Identifier(table), names)
        with away.cursor().copy(given) as source, connection.cursor().copy(taken) as target:
            for data in source:
                target.write(data)
