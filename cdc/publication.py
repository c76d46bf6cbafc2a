"""What a publication of outboxes is: how it publishes, and which rows of each table."""

from typing import LiteralString

from psycopg import sql

PARAMETERS: LiteralString = "publish = 'insert', publish_via_partition_root = true"
"""Each inserted row is sent once, as one of its table, whatever partition it is in."""


def published(table: sql.Composable, row_filter: str | None) -> sql.Composable:
    """Return a table with its row filter, as it is listed in a publication."""
    if row_filter is None:
        return table
    return sql.SQL("{} where ({})").format(table, sql.SQL(row_filter))
