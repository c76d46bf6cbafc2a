"""Checks of the database: what change data capture rests on."""

from typing import Any

import psycopg

from infra.local.doctor.check import Check, Trouble
from infra.services import MIGRATIONS, OWNER, PUBLICATION
from infra.settings import Publisher, Settings

# half of what the configuration lets a slot hold back before it is given up
WORRYING_WAL_BYTES = 2 * 2**30

SLOT = """
select active, wal_status, invalidation_reason,
       pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint as retained_bytes
  from pg_replication_slots
 where slot_name = %s
"""

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


def _slot(settings: Settings) -> str:
    rows = _rows(settings, SLOT, PUBLICATION)
    if not rows:
        raise Trouble("does not exist", "the connector makes it: run `tailrace connector restart`")
    active, wal_status, invalidation_reason, retained_bytes = rows[0]
    if wal_status == "lost" or invalidation_reason:
        raise Trouble(
            f"was given up by Postgres ({invalidation_reason or wal_status}), so changes are missing",
            "`make reset` starts afresh",
        )
    retained = f"{retained_bytes // 2**20} MB of WAL held back"
    if not active:
        raise Trouble(f"nobody reads it, {retained}", "run `tailrace connector restart`")
    if retained_bytes > WORRYING_WAL_BYTES:
        raise Trouble(f"the connector is behind: {retained}", "see `make logs SERVICE=connect`")
    return f"active, {wal_status}, {retained}"


def _publication(settings: Settings) -> str:
    tables = {row[0] for row in _rows(settings, PUBLISHED, PUBLICATION)}
    wanted = {f"{step.schema}.outbox" for step in MIGRATIONS if step.publishes}
    if missing := sorted(wanted - tables):
        raise Trouble(f"lacks {', '.join(missing)}", "run `tailrace migrate`")
    return ", ".join(sorted(tables))


def _rows(settings: Settings, query: str, *values: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.database_url(OWNER), connect_timeout=5) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


def _no_slot(settings: Settings) -> str:
    rows = _rows(settings, SLOT, PUBLICATION)
    if rows:
        raise Trouble(
            f"nobody reads it, and it holds back {rows[0][3] // 2**20} MB of WAL",
            "`make up PUBLISHER=relay` drops it once the relay publishes",
        )
    return "none, the relay needs none"


def database_checks(publisher: Publisher) -> tuple[Check, ...]:
    """Return the checks of a database with this publisher."""
    if publisher == "relay":
        return (Check("replication slot", _no_slot, needs=("postgres",)),)
    return (
        Check("wal_level", _wal_level, needs=("postgres",)),
        Check("publication", _publication, needs=("postgres",)),
        Check("replication slot", _slot, needs=("postgres", "connect")),
    )
