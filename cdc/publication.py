"""What a publication lists: tables, each with the rows of it that are sent."""

from psycopg import sql


def published(table: sql.Composable, row_filter: str | None) -> sql.Composable:
    """Return a table with its row filter, as it is listed in a publication."""
    if row_filter is None:
        return table
    return sql.SQL("{} where ({})").format(table, sql.SQL(row_filter))
