"""The publications: that connectors are sent each inserted row of each outbox, once and whole."""

import re
from collections.abc import Iterator, Sequence

from psycopg import sql

from cdc.database import SyncConnection
from cdc.publication import PARAMETERS, published
from infra.deployment import Capture, Shard
from infra.drift.difference import MIGRATE, Difference
from infra.services import OWNER

REMEDY = f"{MIGRATE}, then `tailrace outbox backfill` for the rows that were not sent"

PUBLISHED = """
select puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, pubowner::regrole::text
from pg_publication where pubname = %s
"""
TABLES = """
select n.nspname || '.' || c.relname, pg_get_expr(r.prqual, r.prrelid), r.prattrs is not null
from pg_publication_rel as r
join pg_publication as p on p.oid = r.prpubid
join pg_class as c on c.oid = r.prrelid
join pg_namespace as n on n.oid = c.relnamespace
where p.pubname = %s
order by 1
"""
SCHEMAS = """
select n.nspname from pg_publication_namespace as s
join pg_publication as p on p.oid = s.pnpubid
join pg_namespace as n on n.oid = s.pnnspid
where p.pubname = %s
order by 1
"""
OPERATIONS = ("insert", "update", "delete", "truncate")


def publication_differences(connection: SyncConnection, capture: Capture) -> list[Difference]:
    """Return how the publications of a database are otherwise than those of its outboxes, each for its keys."""
    outboxes = sorted(f"{schema}.outbox" for schema in capture.outboxes)
    differing = [(each, list(_compared(connection, each, outboxes))) for each in capture.shards]
    statements = _statements(connection, [each for each, found in differing if found], outboxes)
    return [
        Difference(
            thing=f"publication {shard.publication}{thing}",
            declared=declared,
            actual=actual,
            remedy=REMEDY,
            statements=statements,
        )
        for shard, found in differing
        for thing, declared, actual in found
    ]


def _compared(
    connection: SyncConnection, shard: Shard, outboxes: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    found = connection.execute(PUBLISHED, [shard.publication]).fetchone()
    if found is None:
        yield "", "there", "missing"
        return
    for_all, *sent, via_root, owner = found
    operations = [name for name, on in zip(OPERATIONS, sent, strict=True) if on]
    facts = (
        (": what it publishes", "insert", ", ".join(operations) or "nothing"),
        (
            ": rows of partitions",
            "sent as the outbox's",
            "sent as the outbox's" if via_root else "sent by partition",
        ),
        (": owner", OWNER, owner),
    )
    yield from (fact for fact in facts if fact[1] != fact[2])
    if for_all:
        yield ": tables", _listed(outboxes), "all tables"
        return
    if schemas := [schema for (schema,) in connection.execute(SCHEMAS, [shard.publication])]:
        yield ": schemas", "none", _listed(schemas)
    tables = {name: rest for name, *rest in connection.execute(TABLES, [shard.publication])}
    if set(tables) != set(outboxes):
        yield ": tables", _listed(outboxes), _listed(sorted(tables))
    for name, (row_filter, has_columns) in tables.items():
        if plain(row_filter) != plain(shard.keys.row_filter):
            yield f": row filter of {name}", shard.keys.row_filter or "none", row_filter or "none"
        if has_columns:
            yield f": columns of {name}", "all", "some"


def plain(row_filter: str | None) -> str:
    """Return a row filter without what Postgres adds when it shows one: casts, quotes, parentheses and blanks."""
    return re.sub(r"::\w+|['()\s]", "", row_filter or "")


def _statements(
    connection: SyncConnection, shards: Sequence[Shard], outboxes: Sequence[str]
) -> tuple[str, ...]:
    """Return what makes publications as declared, with no row being written at that moment.

    What was written by a transaction that is still open then would be sent or not depending on luck.
    """
    locked = (f"lock table {table} in share mode" for table in outboxes)
    changed = (each for shard in shards for each in _made(connection, shard, outboxes))
    return (*locked, *changed)


def _made(connection: SyncConnection, shard: Shard, outboxes: Sequence[str]) -> tuple[str, ...]:
    found = connection.execute(PUBLISHED, [shard.publication]).fetchone()
    name = _quoted(shard.publication)
    tables = ", ".join(
        published(sql.SQL(each), shard.keys.row_filter).as_string() for each in outboxes
    )
    owned = f"alter publication {name} owner to {_quoted(OWNER)}"
    if found and not found[0]:
        changed = (
            f"alter publication {name} set table {tables}",
            f"alter publication {name} set ({PARAMETERS})",
        )
    else:
        changed = (
            f"drop publication if exists {name}",
            f"create publication {name} for table {tables} with ({PARAMETERS})",
        )
    return (*changed, owned)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
