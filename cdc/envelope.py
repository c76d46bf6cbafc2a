"""The envelope: what a message says of itself beside its payload, as columns of an outbox and headers of a record.

The annotated fields of `OutboxRow` are the only place where it is spelt out. From them follow the columns that outboxes
have, the statements that write and read them, the headers that relay and connector set, and the AsyncAPI document.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import Annotated, Any, LiteralString, NamedTuple, get_args, get_type_hints
from uuid import UUID

import psycopg
from psycopg import sql

from cdc.times import in_utc


class Meaning(NamedTuple):
    """What a header tells; its name where that is not the column's, and the column's type where that needs saying."""

    text: str
    header: str = ""
    sql_type: LiteralString = ""


class OutboxRow(NamedTuple):
    """A row of an outbox: where it is to go, what it holds, and its envelope; the fields are its columns."""

    seq: int
    topic: str
    aggregate_id: str
    payload: bytes
    id: Annotated[UUID, Meaning("Message id, a UUIDv7; consumers take each once.", "ce_id")]
    type: Annotated[str, Meaning("Full name of the Avro record.", "ce_type")]
    source: Annotated[str, Meaning("Service that sent it.", "ce_source")]
    specversion: Annotated[str, Meaning("Version of CloudEvents.", "ce_specversion")]
    occurred_at: Annotated[
        datetime, Meaning("When it was written to the outbox, in RFC 3339.", "ce_time")
    ]
    correlation_id: Annotated[UUID, Meaning("Shared by everything that one request set in motion.")]
    causation_id: Annotated[UUID | None, Meaning("Message that led to this one.")] = None
    aggregate_version: Annotated[
        int | None, Meaning("Version of the aggregate after this event.")
    ] = None
    traceparent: Annotated[str | None, Meaning("W3C trace context.")] = None
    reply_to: Annotated[
        str | None,
        # as long as Kafka lets the name of a topic be, so that no limit on messages has to count it
        Meaning("Topic that the reply to a command goes to.", sql_type="varchar(249)"),
    ] = None
    expires_at: Annotated[
        datetime | None, Meaning("When it is too late to act on it, in RFC 3339.")
    ] = None


class Header(NamedTuple):
    """A field of the envelope.

    Args:
        name: Name of the record's header.
        column: Name of the outbox's column.
        position: Which field of `OutboxRow` it is.
        encode: Returns the header's bytes of a value that is not None.
        sql_type: Type of the column.
        text: What it tells.
        is_required: Whether every message has it.
    """

    name: str
    column: str
    position: int
    encode: Callable[[Any], bytes]
    sql_type: LiteralString
    text: str
    is_required: bool


def moment_of(header: bytes | None) -> datetime | None:
    """Return the time that a header tells, by UTC; None where there is none that a header of ours could hold."""
    try:
        moment = datetime.fromisoformat(header.decode()) if header else None
    except ValueError:
        return None
    return in_utc(moment) if moment and moment.tzinfo else None


def rfc3339(moment: datetime) -> bytes:
    """Return a time as the connector writes it: in UTC, with all the digits that Postgres keeps of a second."""
    # strftime would write the year 44 as it is said
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='microseconds')}Z".encode()


def _text(value: object) -> bytes:
    return str(value).encode()


_FORMS: dict[Any, tuple[LiteralString, Callable[[Any], bytes]]] = {
    UUID: ("uuid", _text),
    str: ("text", _text),
    int: ("bigint", _text),
    datetime: ("timestamptz", rfc3339),
}


def _headers() -> tuple[Header, ...]:
    found = []
    for position, (column, hint) in enumerate(
        get_type_hints(OutboxRow, include_extras=True).items()
    ):
        annotated, *meanings = get_args(hint) or (hint,)
        kinds = get_args(annotated) or (annotated,)
        for meaning in meanings:
            sql_type, encode = _FORMS[kinds[0]]
            found.append(
                Header(
                    name=meaning.header or column,
                    column=column,
                    position=position,
                    encode=encode,
                    sql_type=meaning.sql_type or sql_type,
                    text=meaning.text,
                    is_required=NoneType not in kinds,
                )
            )
    return tuple(found)


HEADERS = _headers()
"""In the order in which a record has them."""

COLUMNS = sql.SQL(", ").join(map(sql.Identifier, OutboxRow._fields))
"""What to select of `outbox` for an `OutboxRow`."""

_BY_DATABASE = ("source", "specversion", "occurred_at")
WRITTEN = tuple(header.column for header in HEADERS if header.column not in _BY_DATABASE)
"""Columns of the envelope that a writer sets; the others are the database's to tell."""


def headers_of(row: OutboxRow) -> list[tuple[str, bytes | None]]:
    """Return the headers of a row in the order of the connector's configuration."""
    return [
        (name, None if (value := row[position]) is None else encode(value))
        for name, _, position, encode, _, _, _ in HEADERS
    ]


TABLES: Mapping[str, Collection[str]] = {
    "outbox": [header.column for header in HEADERS],
    "outbox_delayed": WRITTEN,
    "set_aside": [header.column for header in HEADERS],
}
"""Tables that hold envelopes, and their columns: what is published, what is kept back, what Kafka has refused."""


def declare(connection: psycopg.Connection[Any], role: str) -> list[str]:
    """Give the tables of a schema that hold envelopes the columns that are new in it; a matter of the catalogue only.

    Args:
        connection: Works as the owner of the schema, with it as its search path.
        role: Role of the service, which may write them.

    Returns:
        The columns that were added, as `table.column`.
    """
    added = []
    for table, columns in TABLES.items():
        found = _columns_of(connection, table)
        for header in HEADERS:
            if found and header.column in columns and header.column not in found:
                _add(connection, table, header, role)
                added.append(f"{table}.{header.column}")
    return added


def _columns_of(connection: psycopg.Connection[Any], table: str) -> set[str]:
    rows = connection.execute(
        "select attname from pg_attribute where attrelid = to_regclass(quote_ident(%s)) and not attisdropped",
        [table],
    )
    return {name for (name,) in rows}


def _add(connection: psycopg.Connection[Any], table: str, header: Header, role: str) -> None:
    names = {"table": sql.Identifier(table), "column": sql.Identifier(header.column)}
    # waited for as briefly as for other changes of the outbox: a migration can be run again
    connection.execute("set local lock_timeout = '5s'")
    added = sql.SQL("alter table {table} add column {column} {type}")
    connection.execute(added.format(**names, type=sql.SQL(header.sql_type)))
    granted = sql.SQL("grant insert ({column}) on {table} to {role}")
    connection.execute(granted.format(**names, role=sql.Identifier(role)))
