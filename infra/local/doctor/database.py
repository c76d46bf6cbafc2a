"""Checks of the database: what change data capture rests on."""

from typing import Any

import psycopg

from infra.local.doctor.check import Check, Trouble
from infra.services import MIGRATIONS, OWNER, PUBLICATION
from infra.settings import Publisher, Settings

PUBLISHED = """
select schemaname || '.' || tablename from pg_publication_tables where pubname = %s order by 1
"""


def _wal_level(settings: Settings) -> str:
    level = str(_rows(settings, "show wal_level")[0][0])
    if level != "logical":
        raise Trouble(
            f"is {level}, and only 'logical' can be captured", "run `make down`, then `make up`"
        )
    return level


def _publication(settings: Settings) -> str:
    tables = {row[0] for row in _rows(settings, PUBLISHED, PUBLICATION)}
    wanted = {f"{step.schema}.outbox" for step in MIGRATIONS if step.publishes}
    if missing := sorted(wanted - tables):
        raise Trouble(f"lacks {', '.join(missing)}", "run `tailrace migrate`")
    return ", ".join(sorted(tables))


def _rows(settings: Settings, query: str, *values: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.database_url(OWNER), connect_timeout=5) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


def database_checks(publisher: Publisher) -> tuple[Check, ...]:
    """Return the checks of a database with this publisher."""
    if publisher == "relay":
        return ()
    return (
        Check("wal_level", _wal_level, needs=("postgres",)),
        Check("publication", _publication, needs=("postgres",)),
    )
