"""Comparing tables of two schemas: what is missing, extra and different, and which rows a replay answers for."""

import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from consumers.replay.comparison import compare
from consumers.replay.coverage import Coverage
from consumers.replay.diff import TableDiff
from consumers.replay.errors import ReplayError
from consumers.runtime.tables import Table
from tests.stack import RunningStack

T = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = Coverage(T, T + timedelta(hours=1), is_whole=True)
MINUTE = timedelta(minutes=1)

Schemas = tuple[str, str, str]


@pytest.fixture
def schemas(stack: RunningStack) -> Iterator[Schemas]:
    """Two schemas, and the URL of their owner."""
    url = stack.database_url("tailrace_owner")
    names = [f"compared_{secrets.token_hex(4)}" for _ in range(2)]
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            connection.execute(f"create schema {name}".encode())
            connection.execute(f"create table {name}.replay_key (key text primary key)".encode())
        yield url, names[0], names[1]
        for name in names:
            connection.execute(f"drop schema {name} cascade".encode())


def fill(schemas: Schemas, definition: str, made: str, live: str) -> None:
    url, *names = schemas
    with psycopg.connect(url, autocommit=True) as connection:
        for name, rows in zip(names, (made, live), strict=True):
            connection.execute(f"create table {name}.thing ({definition})".encode())
            if rows:
                connection.execute(f"insert into {name}.thing values {rows}".encode())


def diff(
    schemas: Schemas, tables: Mapping[str, Table], coverage: Coverage = HOUR, most_rows: int = 20
) -> TableDiff:
    url, made, live = schemas
    [table] = compare(url, made, live, tables=tables, coverage=coverage, most_rows=most_rows)
    return table


def test_without_a_declaration_rows_of_live_alone_are_counted_and_not_held_against_it(
    schemas: Schemas,
) -> None:
    fill(
        schemas,
        "id int primary key, a text, b numeric, c json",
        "(1, 'x', 1.0, '{}'), (2, 'y', 2, '{}'), (3, null, 3, '{}')",
        "(1, 'x', 1.00, '{}'), (2, 'z', 5, '{}'), (9, 'w', 9, '{}')",
    )
    found = diff(schemas, {})
    assert (found.count("different"), found.count("extra"), found.count("missing")) == (1, 1, 0)
    assert found.count("missing", "unknown") == 1
    assert found.equal == 1
    assert found.by_column == {"a": 1, "b": 1}
    assert [(row.kind, row.key, row.columns) for row in found.rows] == [
        ("different", {"id": 2}, {"a": ("y", "z"), "b": (2, 5)}),
        ("extra", {"id": 3}, {"a": (None, None), "b": (3, None), "c": ({}, None)}),
    ]


def test_rows_are_found_by_their_business_key_and_the_keys_that_were_replayed(
    schemas: Schemas,
) -> None:
    fill(
        schemas,
        "id int primary key, order_id text, amount int, at timestamptz",
        "(1, 'a', 5, now()), (2, 'b', 5, now())",
        "(70, 'a', 5, '2020-01-01'), (71, 'c', 5, now()), (72, 'other', 5, now())",
    )
    url, made, _ = schemas
    with psycopg.connect(url) as connection:
        connection.execute(f"insert into {made}.replay_key values ('a'), ('b'), ('c')".encode())
    payment = Table(key=("order_id",), leave_out=frozenset({"id", "at"}), record_key="order_id")
    found = diff(schemas, {"thing": payment})
    assert (found.equal, found.count("missing"), found.count("extra")) == (1, 1, 1)
    assert {row.key["order_id"]: row.kind for row in found.rows} == {"b": "extra", "c": "missing"}


def test_rows_that_add_up_a_time_that_was_not_replayed_whole_are_told_apart(
    schemas: Schemas,
) -> None:
    fill(
        schemas,
        "minute timestamptz primary key, placed int",
        "('2026-11-23 09:59Z', 1), ('2026-11-23 10:00Z', 5), ('2026-11-23 10:59Z', 2)",
        "('2026-11-23 09:30Z', 7), ('2026-11-23 09:59Z', 4), ('2026-11-23 10:00Z', 5), ('2026-11-23 10:30Z', 3),"
        " ('2026-11-23 10:59Z', 8), ('2026-11-23 12:00Z', 9)",
    )
    per_minute = Table(time="minute", after=MINUTE + timedelta(seconds=5), adds_up=True)
    found = diff(schemas, {"thing": per_minute})
    assert (found.equal, found.count("missing"), found.count("different")) == (1, 1, 0)
    assert found.count("different", "edge") == 2
    assert found.count("missing", "out") == 2
    assert [(row.part, row.kind, row.key["minute"][11:16]) for row in found.rows] == [
        ("in", "missing", "10:30"),
        ("edge", "different", "09:59"),
        ("edge", "different", "10:59"),
    ]
    filtered = diff(schemas, {"thing": per_minute}, Coverage(HOUR.start, HOUR.end, is_whole=False))
    assert (filtered.is_equal, filtered.count("missing", "edge")) == (True, 1)
    everything = diff(
        schemas, {"thing": per_minute}, Coverage(None, T + 9 * MINUTE * 60, is_whole=True)
    )
    assert (everything.count("missing"), everything.count("different")) == (3, 2)


def test_what_is_listed_is_bounded_and_what_is_counted_is_not(schemas: Schemas) -> None:
    fill(schemas, "id int primary key", "", "")
    url, made, _ = schemas
    with psycopg.connect(url) as connection:
        connection.execute(f"insert into {made}.thing select generate_series(1, 3000)".encode())
    found = diff(schemas, {}, most_rows=7)
    assert (found.count("extra"), len(found.rows)) == (3000, 7)
    assert [row.key["id"] for row in found.rows] == list(range(1, 8))


def test_tables_that_are_not_alike_are_refused(schemas: Schemas) -> None:
    fill(schemas, "id int primary key, a int", "", "")
    url, _, live = schemas
    with pytest.raises(ReplayError, match=r"declares of thing .* nonsense"):
        diff(schemas, {"thing": Table(key=("nonsense",))})
    with psycopg.connect(url) as connection:
        connection.execute(f"alter table {live}.thing add column b int".encode())
    with pytest.raises(ReplayError, match="run `tailrace migrate`"):
        diff(schemas, {})
