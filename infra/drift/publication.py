"""The publication: that the connector is sent each inserted row of each outbox, once and whole."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from cdc.database import SyncConnection
from infra.drift.difference import MIGRATE, Difference
from infra.services import OWNER, PUBLICATION

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
PARAMETERS = "publish = 'insert', publish_via_partition_root = true"


def publication_differences(connection: SyncConnection, schemas: Sequence[str]) -> list[Difference]:
    """Return how the publication of a database is otherwise than one of the outboxes of these schemas."""
    outboxes = sorted(f"{schema}.outbox" for schema in schemas)
    found = connection.execute(PUBLISHED, [PUBLICATION]).fetchone()
    statements = _statements(outboxes, exists=found is not None, for_all=bool(found and found[0]))
    return [
        Difference(
            thing=f"publication {PUBLICATION}{thing}",
            declared=declared,
            actual=actual,
            remedy=REMEDY,
            statements=statements,
        )
        for thing, declared, actual in _compared(connection, outboxes, found)
    ]


def _compared(
    connection: SyncConnection, outboxes: Sequence[str], found: tuple[Any, ...] | None
) -> Iterator[tuple[str, str, str]]:
    if found is None:
        yield "", "there", "missing"
        return
    for_all, *published, via_root, owner = found
    operations = [name for name, on in zip(OPERATIONS, published, strict=True) if on]
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
    if schemas := [schema for (schema,) in connection.execute(SCHEMAS, [PUBLICATION])]:
        yield ": schemas", "none", _listed(schemas)
    tables = {name: rest for name, *rest in connection.execute(TABLES, [PUBLICATION])}
    if set(tables) != set(outboxes):
        yield ": tables", _listed(outboxes), _listed(sorted(tables))
    for name, (row_filter, has_columns) in tables.items():
        if row_filter:
            yield f": row filter of {name}", "none", row_filter
        if has_columns:
            yield f": columns of {name}", "all", "some"


def _statements(outboxes: Sequence[str], *, exists: bool, for_all: bool) -> tuple[str, ...]:
    """Return what makes the publication as declared, with no row being written at that moment.

    What was written by a transaction that is still open then would be sent or not depending on luck.
    """
    name = _quoted(PUBLICATION)
    tables = ", ".join(outboxes)
    locked = tuple(f"lock table {table} in share mode" for table in outboxes)
    owned = f"alter publication {name} owner to {_quoted(OWNER)}"
    if exists and not for_all:
        changed = (
            f"alter publication {name} set table {tables}",
            f"alter publication {name} set ({PARAMETERS})",
        )
    else:
        changed = (
            f"drop publication if exists {name}",
            f"create publication {name} for table {tables} with ({PARAMETERS})",
        )
    return (*locked, *changed, owned)


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
