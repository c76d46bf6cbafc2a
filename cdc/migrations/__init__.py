"""Database migrations: every service keeps its own under `<service>/migrations/versions`, run by one Alembic setup.

What all services have, such as the outbox and the inbox, has packages of its own, which are run in each one's schema. A
migration names no schema. It runs with `search_path` set to the schema it is for, and its progress is recorded in a
version table in that schema, so the same files also build a throwaway copy of a service's tables.
"""

import hashlib
import importlib.util
import random
import re
import time
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from cdc import bounds, envelope
from cdc.database import SyncConnection, connect
from cdc.shards import Keys

# Alembic takes half a second to import, and nothing but `upgrade` needs it
if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection

LOCK_S = 1.0
"""How long a migration waits for a lock: all that is written to the table later waits behind it."""
PATIENCE_S = 120.0
"""How long it is tried again."""

REVISION = re.compile(r'^revision = "(\w+)"', re.MULTILINE)
DOWN_REVISION = re.compile(r'^down_revision = "(\w+)"', re.MULTILINE)


def upgrade(
    database_url: str,
    *,
    schema: str,
    packages: Iterable[str],
    role: str | None = None,
    publications: Mapping[str, Keys] | None = None,
) -> list[str]:
    """Bring a schema to the newest revisions, and an outbox in step with the catalogue's topics, in one transaction.

    Whoever writes meanwhile goes before: a lock that is not to be had soon is given up with all others, and it is tried
    again.

    Args:
        packages: Packages that hold `versions/`, such as `producers.orders.migrations`, in their order.
        role: Role of the service, which gets the grants; the one that is called like the schema when none is given.
        publications: Publications that an outbox is added to, each with the keys that it carries, and that are created
            when missing; none builds tables that nothing captures.

    Returns:
        The revisions applied now, oldest first; empty when there was nothing to do.
    """
    packages = tuple(packages)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _upgrade(database_url, schema, packages, role or schema, publications or {})
        except Exception as error:
            # what Alembic executes itself fails with an error that carries the driver's
            if not isinstance(getattr(error, "orig", error), DeadlockDetected | LockNotAvailable):
                raise
            if time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0, LOCK_S))  # noqa: S311 - so that two do not meet again and again


def _upgrade(
    database_url: str,
    schema: str,
    packages: Collection[str],
    role: str,
    publications: Mapping[str, Keys],
) -> list[str]:
    with connect(database_url) as driver:
        _enter(driver, schema)
        if _is_newest(driver, packages):
            return _declare(driver, role)

    from alembic import command
    from sqlalchemy import create_engine

    applied: list[str] = []
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(database_url))
    try:
        with engine.begin() as connection:
            driver = cast(SyncConnection, connection.connection.driver_connection)
            _enter(driver, schema)
            for package in packages:
                config = _config(package)
                config.attributes.update(
                    connection=connection,
                    version_table=version_table(package),
                    schema=schema,
                    role=role,
                    publications=publications,
                    applied=applied,
                )
                _leave_superseded(connection, config)
                command.upgrade(config, "head")
            applied += _declare(driver, role)
    finally:
        engine.dispose()
    return applied


def version_table(package: str) -> str:
    """Return the name of the table that records how far a package of migrations has come."""
    return f"alembic_version_{package.removesuffix('.migrations').replace('.', '_')}"


def _config(package: str) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_versions(package)))
    return config


def _versions(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"there is no package of migrations {package}")
    return Path(spec.submodule_search_locations[0], "versions")


def _leave_superseded(connection: "Connection", config: "Config") -> None:
    """Move a schema on from a revision that exists no more to the one that names it in its `SUPERSEDES`."""
    from alembic.script import ScriptDirectory

    table = config.attributes["version_table"]
    if not connection.exec_driver_sql("select to_regclass(%s)", (table,)).scalar():
        return
    for script in ScriptDirectory.from_config(config).walk_revisions():
        for revision in getattr(script.module, "SUPERSEDES", ()):
            connection.exec_driver_sql(
                f"update {table} set version_num = %s where version_num = %s",  # noqa: S608 - a name of ours
                (script.revision, revision),
            )


def _enter(connection: SyncConnection, schema: str) -> None:
    """Work in the schema, alone: two migrations at once would both find the same revisions missing."""
    lock = int.from_bytes(hashlib.sha256(schema.encode()).digest()[:8], signed=True)
    connection.execute("select pg_advisory_xact_lock(%s)", [lock])
    connection.execute("select set_config('search_path', quote_ident(%s), true)", [schema])
    connection.execute("select set_config('lock_timeout', %s, true)", [f"{LOCK_S}s"])


def _declare(connection: SyncConnection, role: str) -> list[str]:
    added = envelope.declare(connection, role)
    bounds.declare(connection)
    return added


def _is_newest(connection: SyncConnection, packages: Iterable[str]) -> bool:
    """Tell whether no package has a revision that is not applied; what cannot be told for sure is not so."""
    heads = {version_table(package): newest_revision(package) for package in packages}
    tables = "select count(to_regclass(quote_ident(name))) from unnest(%s::text[]) as name"
    [[known]] = connection.execute(tables, [list(heads)]).fetchall()
    if known < len(heads):
        return False
    for table, head in heads.items():
        query = sql.SQL("select version_num from {}").format(sql.Identifier(table))
        if connection.execute(query).fetchall() != [(head,)]:
            return False
    return True


@cache
def newest_revision(package: str) -> str | None:
    """Return the revision that follows all others, by the texts alone: Alembic runs them to know as much.

    None when the texts do not say so in the plain form that our revisions have.
    """
    texts = [file.read_text() for file in _versions(package).glob("*.py")]
    revisions = [found[1] for text in texts if (found := REVISION.search(text))]
    followed = {found[1] for text in texts if (found := DOWN_REVISION.search(text))}
    heads = set(revisions) - followed
    return heads.pop() if len(revisions) == len(texts) and len(heads) == 1 else None
