"""Database migrations: every service keeps its own under `<service>/migrations/versions`, run by one Alembic setup.

A migration names no schema. It runs with `search_path` set to the schema it is for, and its progress is recorded in
a version table in that schema, so the same files also build a throwaway copy of a service's tables.
"""

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg

from cdc import bounds
from cdc.database import connect

# Alembic takes half a second to import, and nothing but `upgrade` needs it
if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def upgrade(
    database_url: str, *, schema: str, package: str, publication: str | None = None
) -> list[str]:
    """Bring one package of migrations to its newest revision, and an outbox in step with the catalogue's topics.

    All of it is one transaction.

    Args:
        database_url: libpq URL of the role that will own the tables.
        schema: Existing schema to work in; the service role that gets grants has the same name.
        package: Package that holds `versions/`, such as `producers.orders.migrations`.
        publication: Publication that an outbox is added to and that is created when missing; none builds tables that
            nothing captures.

    Returns:
        The revisions applied now, oldest first; empty when there was nothing to do.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    applied: list[str] = []
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_directory(package) / "versions"))
    config.attributes.update(
        {"version_table": version_table(package), "publication": publication, "applied": applied}
    )
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(database_url))
    try:
        with engine.begin() as connection:
            _enter(connection, schema, package)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            bounds.declare(cast(psycopg.Connection[Any], connection.connection.driver_connection))
    finally:
        engine.dispose()
    return applied


def version_table(package: str) -> str:
    """Return the name of the table that records how far a package of migrations has come."""
    return f"alembic_version_{package.removesuffix('.migrations').replace('.', '_')}"


def _directory(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"there is no package of migrations {package}")
    return Path(spec.submodule_search_locations[0])


def _enter(connection: "Connection", schema: str, package: str) -> None:
    """Work in the schema, alone: two migrations at once would both find the same revisions missing."""
    lock = int.from_bytes(hashlib.sha256(f"{schema}/{package}".encode()).digest()[:8], signed=True)
    connection.exec_driver_sql("select pg_advisory_xact_lock(%s)", (lock,))
    connection.exec_driver_sql("select set_config('search_path', quote_ident(%s), true)", (schema,))
