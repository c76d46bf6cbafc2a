"""Tables, functions and grants of the services' schemas, held against what the migrations make."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from psycopg import sql

from cdc.database import SyncConnection
from infra.deployment import Capture
from infra.drift.admitted import admitted_differences
from infra.drift.declared import Part, Parts, declared_parts, parts_of
from infra.drift.difference import MIGRATE, Difference

PAUSING = frozenset({"rule", "row level security", "trigger"})
"""What can keep a row from being written, or from being seen: then rows may have been passed over."""
HARMLESS = frozenset({"index", "function", "function owner", "execute", "default", "partition"})
"""What does no harm where more is there than declared."""

MADE = {
    "owner": ("alter table {place} owner to {wanted}",),
    "function": ("{wanted}",),
    "function owner": ("alter function {place} owner to {wanted}",),
    "persistence": ("alter table {place} set logged",),
    "partition": ("alter table {place} attach partition {schema}.{name} {wanted}",),
    "default": ("alter table {place} alter column {name} set default {wanted}",),
    "constraint": (
        "alter table {place} drop constraint if exists {name}",
        "alter table {place} add constraint {name} {wanted}",
    ),
    "index": ("drop index if exists {schema}.{name}", "{wanted}"),
    "trigger": ("drop trigger if exists {name} on {place}", "{wanted}"),
}
"""Statements that bring a part back, by kind."""
UNMADE = {
    "row level security": (
        "alter table {place} disable row level security",
        "alter table {place} no force row level security",
    ),
    "replica identity": ("alter table {place} replica identity default",),
    "trigger": ("alter table {place} disable trigger {name}",),
    "rule": ("alter table {place} disable rule {name}",),
}
"""Statements that take back what is not declared, without removing anything that somebody has written."""
UNCHECKED = " not checked"  # how `schema.sql` marks a constraint that older rows may break
PUBLIC = "-"  # how Postgres writes the name of everybody


def schema_differences(
    capture: Capture, state: Path, connection: SyncConnection
) -> list[Difference]:
    """Return what of the schemas, and of the topics that their outboxes admit, is not as the migrations make it."""
    found = [
        difference
        for schema, declared in declared_parts(capture, state, connection).items()
        for difference in compared(schema, declared, parts_of(connection, schema))
    ]
    return [*found, *admitted_differences(connection, capture.outboxes)]


def compared(schema: str, declared: Parts, actual: Parts) -> Iterator[Difference]:
    tables = {part.table for part in declared if part.kind == "table"}
    lost = tables - {part.table for part in actual if part.kind == "table"}
    for part in sorted(declared.keys() | actual.keys()):
        wanted, found = declared.get(part), actual.get(part)
        if wanted == found or (part.table in lost and part.kind != "table"):
            continue
        if wanted is None and (part.kind in HARMLESS or (part.table and part.table not in tables)):
            continue
        yield _difference(schema, part, wanted, found)


def _difference(schema: str, part: Part, wanted: str | None, found: str | None) -> Difference:
    statements = tuple(_statements(schema, part, wanted))
    if statements:
        # definitions name what is in the schema without naming the schema
        statements = (f"set local search_path = {_text('{}', schema)}", *statements)
    return Difference(
        thing=_thing(schema, part),
        declared=_shortened(wanted, part),
        actual=_shortened(found, part),
        remedy=_remedy(part) if statements else _by_hand(schema, part, wanted),
        statements=statements,
    )


def _thing(schema: str, part: Part) -> str:
    place = f"{schema}.{part.table}" if part.table else schema
    return f"{place}: {' '.join(filter(None, (part.kind, part.name)))}"


def _shortened(value: str | None, part: Part) -> str:
    if value is None:
        return "none"
    return f"`{value}`" if len(value) < 80 and part.kind != "function" else "otherwise"


def _remedy(part: Part) -> str:
    backfill = ", then `tailrace outbox backfill` for rows that were passed over"
    return MIGRATE + (backfill if part.kind in PAUSING else "")


def _by_hand(schema: str, part: Part, wanted: str | None) -> str:
    what = " ".join(filter(None, (part.kind, part.name)))
    where = f"{schema}.{part.table}" if part.table else schema
    if part.kind == "table" and wanted:
        return f"no command makes {where} anew with its rows: restore it from a backup"
    if wanted is None:
        return f"no command removes the {what} of {where}: drop it, or write a migration for it"
    return (
        f"no command changes the {what} of {where}: alter it back by hand, and `tailrace connector recover --force` "
        "if the connector has failed meanwhile"
    )


def _statements(schema: str, part: Part, wanted: str | None) -> Iterator[str]:
    """Yield SQL that makes a part as it is wanted; none where that could cost rows."""
    if part.kind in {"grant", "execute", "use"}:
        yield _granted(schema, part, give=wanted is not None)
        return
    place = _text("{}.{}", schema, part.table or part.name)
    for template in (MADE if wanted is not None else UNMADE).get(part.kind, ()):
        yield template.format(
            place=place,
            schema=schema,
            name=_text("{}", part.name),
            wanted=(wanted or "").removesuffix(UNCHECKED),
        )


def _granted(schema: str, part: Part, *, give: bool) -> str:
    role, _, privilege = part.name.partition(" ")
    place = {
        "execute": f"function {_text('{}.{}', schema, part.table)}",
        "use": f"schema {_text('{}', schema)}",
    }.get(part.kind) or _text("{}.{}", schema, part.table)
    whom = "public" if role == PUBLIC else _text("{}", role)
    what = privilege or "execute"
    return f"grant {what} on {place} to {whom}" if give else f"revoke {what} on {place} from {whom}"


def _text(template: Any, *names: str) -> str:
    return sql.SQL(template).format(*map(sql.Identifier, names)).as_string()
