"""Building blocks for migrations."""

import re
from collections.abc import Mapping
from importlib import resources
from types import ModuleType
from typing import Any, cast

import psycopg
from alembic import op
from psycopg import sql
from psycopg.abc import QueryNoTemplate

from cdc import retention
from cdc.publication import PARAMETERS, published
from cdc.shards import Keys


def execute(statement: QueryNoTemplate) -> None:
    """Run SQL composed with psycopg in the migration's transaction."""
    _connection().execute(statement)


def execute_file(package: ModuleType, file: str) -> None:
    """Run a file of SQL in the migration's transaction.

    Args:
        file: File name. In it `:role` stands for the role of the service, `:source` for what its messages carry as
            their `ce_source`, `:retention` for the role that drops old messages, and `:schema` for the schema in which
            the migration works.
    """
    text = resources.files(package).joinpath(file).read_text()
    names = {
        ":role": sql.Identifier(_attribute("role")),
        ":source": sql.Literal(f"/{_attribute('role')}"),
        ":retention": sql.Identifier(retention.ROLE),
        ":schema": sql.Identifier(_attribute("schema")),
    }
    parts = re.split(rf"(?<!:)({'|'.join(names)})\b", text)
    execute(sql.Composed([names.get(part) or sql.SQL(cast(Any, part)) for part in parts]))


def is_there(table: str, column: str | None = None) -> bool:
    """Return whether a table, or a column of it, exists: services once made by themselves what they share now."""
    query = (
        "select from pg_attribute where attrelid = to_regclass(quote_ident(%s)) and not attisdropped"
        " and attname = coalesce(%s, attname)"
    )
    return _connection().execute(query, [table, column]).fetchone() is not None


def is_unique(table: str, constraint: str) -> bool:
    query = "select from pg_constraint where conrelid = to_regclass(quote_ident(%s)) and conname = %s and contype = 'u'"
    return _connection().execute(query, [table, constraint]).fetchone() is not None


def publish(table: str) -> None:
    """Add a table to its publications, as one whatever its partitions, so that each row is sent once."""
    for name, keys in _publications().items():
        exists = _connection().execute("select 1 from pg_publication where pubname = %s", [name])
        statement = (
            "alter publication {} add table {}"
            if exists.fetchone()
            else f"create publication {{}} for table {{}} with ({PARAMETERS})"
        )
        listed = published(sql.Identifier(table), keys.row_filter)
        execute(sql.SQL(statement).format(sql.Identifier(name), listed))


def _connection() -> psycopg.Connection[Any]:
    return cast(psycopg.Connection[Any], op.get_bind().connection.driver_connection)


def _publications() -> Mapping[str, Keys]:
    """Return those that capture the schema; nothing captures a throwaway."""
    config = op.get_context().config
    return cast(Mapping[str, Keys], config.attributes["publications"]) if config else {}


def _attribute(name: str) -> str:
    """Return what `cdc.migrations.upgrade` was given."""
    config = op.get_context().config
    return str(config.attributes[name]) if config else ""
