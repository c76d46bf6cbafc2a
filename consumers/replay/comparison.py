"""Compares the tables of a sandbox with the live ones, in the database and in one snapshot; few rows come here."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from cdc.database import connect
from cdc.sql import load_queries
from consumers.replay.coverage import Coverage
from consumers.replay.diff import RowDiff, TableDiff
from consumers.replay.errors import ReplayError
from consumers.runtime.tables import Table

QUERIES = load_queries(__package__)
UNDECLARED = Table()


def compare(
    owner_url: str,
    made: str,
    live: str,
    *,
    tables: Mapping[str, Table],
    coverage: Coverage,
    most_rows: int,
) -> list[TableDiff]:
    """Return how the tables of one schema differ from those of another.

    Raises:
        ReplayError: the tables are not alike, or what is declared does not fit them.
    """
    one_moment = {
        "default_transaction_isolation": "repeatable read",
        "default_transaction_read_only": "on",
    }
    with connect(owner_url, one_moment, autocommit=True) as connection, connection.transaction():
        shapes = {shape.name: shape for shape in _shapes(connection, made)}
        live_shapes = {shape.name: shape for shape in _shapes(connection, live)}
        _require_alike(shapes, live_shapes, tables)
        return [
            _Comparison(connection, made, live, shape, tables.get(name, UNDECLARED), coverage).run(
                most_rows
            )
            for name, shape in shapes.items()
        ]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as the database knows it."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    incomparable: frozenset[str]


def _shapes(connection: "psycopg.Connection[Any]", schema: str) -> Iterator[Shape]:
    connection.execute(sql.SQL("set local search_path = {}").format(sql.Identifier(schema)))
    for name, key, columns, incomparable in connection.execute(QUERIES["own_tables"], {}):
        yield Shape(name, tuple(key), tuple(columns), frozenset(incomparable))


def _require_alike(
    made: Mapping[str, Shape], live: Mapping[str, Shape], tables: Mapping[str, Table]
) -> None:
    for name, shape in made.items():
        if name not in live or set(live[name].columns) != set(shape.columns):
            raise ReplayError(
                f"the live table {name} is not what these migrations make of it: run `tailrace migrate`, or replay "
                "with the code that the database was migrated by"
            )
    for name, table in tables.items():
        named = {*table.key, *table.leave_out, table.record_key, table.time} - {None}
        unknown = named - set(made[name].columns) if name in made else {"such table"}
        if unknown:
            strange = ", ".join(sorted(map(str, unknown)))
            raise ReplayError(f"the consumer declares of {name} what it does not have: {strange}")


class _Comparison:
    """One table."""

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        made: str,
        live: str,
        shape: Shape,
        table: Table,
        coverage: Coverage,
    ) -> None:
        self._connection = connection
        self._shape = shape
        self._table = table
        self._coverage = coverage
        self._key = table.key or shape.key
        if not self._key:
            raise ReplayError(
                f"{shape.name} has no primary key: declare in the consumer's bootstrap by which columns it is compared"
            )
        self._columns = [each for each in shape.columns if each not in table.leave_out]
        self._left_out = tuple(each for each in shape.columns if each in table.leave_out)
        self._names = {
            "made": sql.Identifier(made, shape.name),
            "live": sql.Identifier(live, shape.name),
            "keys": sql.Identifier(made, "replay_key"),
        }

    def run(self, most_rows: int) -> TableDiff:
        diff = TableDiff(self._shape.name, self._key, self._left_out)
        self._count(diff)
        if most_rows and any(sum(kinds.values()) for kinds in diff.counts.values()):
            diff.rows = list(self._rows(most_rows))
        return diff

    def _count(self, diff: TableDiff) -> None:
        by_column = [
            sql.SQL("count(*) filter (where kind = 'different' and {}) as {}").format(
                sql.Identifier(f"differs {name}"), sql.Identifier(name)
            )
            for name in self._columns
            if name not in self._key
        ]
        query = sql.SQL(
            "select part, kind, count(*) as rows{columns} from ({joined}) as joined group by part, kind"
        ).format(
            columns=sql.SQL("").join(sql.SQL(", ") + each for each in by_column),
            joined=self._joined(),
        )
        with self._connection.cursor(row_factory=dict_row) as cursor:
            for row in cursor.execute(query, self._parameters()):
                part, kind, rows = row.pop("part"), row.pop("kind"), row.pop("rows")
                diff.compared[part] = diff.compared.get(part, 0) + rows
                if kind == "equal":
                    diff.equal += rows if part == "in" else 0
                    continue
                diff.counts.setdefault(part, {})[kind] = rows
                if part == "in" and kind == "different":
                    diff.by_column = {name: number for name, number in row.items() if number}

    def _rows(self, most_rows: int) -> Iterator[RowDiff]:
        """Yield rows that differ: first those that the replay answers for; none of those that it knows nothing of."""
        query = sql.SQL(
            "select kind, part, key::text, made_row::text, live_row::text from ({joined}) as joined "
            "where kind <> 'equal' and part in ('in', 'edge') "
            "order by part = 'edge', {key} limit {limit}"
        ).format(
            joined=self._joined(),
            key=sql.SQL(", ").join(sql.Identifier(f"key {name}") for name in self._key),
            limit=most_rows,
        )
        for kind, part, *texts in self._connection.execute(query, self._parameters()):
            key, made, live = (json.loads(text or "null", parse_float=str) for text in texts)
            yield RowDiff(kind, part, key, _columns(made, live, self._key))

    def _joined(self) -> sql.Composed:
        made, live = self._names["made"], self._names["live"]
        live_rows = sql.SQL("select * from {}").format(live)
        if self._table.record_key:
            live_rows += sql.SQL(" where {}::text in (select key from {})").format(
                sql.Identifier(self._table.record_key), self._names["keys"]
            )
        same_key = sql.SQL(" and ").join(
            sql.SQL("made.{0} = live.{0}").format(sql.Identifier(name)) for name in self._key
        )
        differs = [
            (name, sql.SQL("({} is distinct from {})").format(*self._values(name)))
            for name in self._columns
            if name not in self._key
        ]
        any_differs = sql.SQL(" or ").join([*(test for _, test in differs), sql.SQL("false")])
        return sql.SQL(
            "select case when live.there is null then 'extra' when made.there is null then 'missing' "
            "when {any_differs} then 'different' else 'equal' end as kind, "
            "{part} as part, {key} as key, {made_row} as made_row, {live_row} as live_row"
            "{keys}{differs} "
            "from (select *, true as there from {made}) as made "
            "full join (select *, true as there from ({live_rows}) as rows) as live on {same_key}"
        ).format(
            any_differs=any_differs,
            part=self._part(),
            key=self._object(self._key, sql.SQL("coalesce(made.{0}, live.{0})")),
            made_row=self._row("made"),
            live_row=self._row("live"),
            keys=sql.SQL("").join(
                sql.SQL(", coalesce(made.{0}, live.{0}) as {1}").format(
                    sql.Identifier(name), sql.Identifier(f"key {name}")
                )
                for name in self._key
            ),
            differs=sql.SQL("").join(
                sql.SQL(", {} as {}").format(test, sql.Identifier(f"differs {name}"))
                for name, test in differs
            ),
            made=made,
            live_rows=live_rows,
            same_key=same_key,
        )

    def _part(self) -> sql.Composable:
        if self._table.record_key:
            return sql.SQL("'in'")
        if self._table.time is None:
            unknown = sql.SQL("case when made.there is null then 'unknown' else {} end")
            is_whole = self._coverage.is_whole or not self._table.adds_up
            return unknown.format("in" if is_whole else "edge")
        return sql.SQL(
            "case when {time} + %(after)s < coalesce(%(start)s, '-infinity'::timestamptz) "
            "or {time} - %(before)s >= coalesce(%(end)s, 'infinity'::timestamptz) then 'out' "
            "when %(is_whole)s and {time} - %(before)s >= coalesce(%(start)s, '-infinity'::timestamptz) "
            "and {time} + %(after)s <= coalesce(%(end)s, 'infinity'::timestamptz) then 'in' "
            "else 'edge' end"
        ).format(
            time=sql.SQL("coalesce(live.{0}, made.{0})").format(sql.Identifier(self._table.time))
        )

    def _parameters(self) -> dict[str, Any]:
        return {
            "start": self._coverage.start,
            "end": self._coverage.end,
            "before": self._table.before,
            "after": self._table.after,
            "is_whole": self._coverage.is_whole,
        }

    def _values(self, name: str) -> tuple[sql.Composable, sql.Composable]:
        template = sql.SQL("{}::text") if name in self._shape.incomparable else sql.SQL("{}")
        made, live = (template.format(sql.Identifier(side, name)) for side in ("made", "live"))
        return made, live

    def _row(self, side: str) -> sql.Composable:
        template = sql.SQL("case when {}.there then {} end")
        value = sql.SQL(f"{side}.{{0}}")
        return template.format(sql.Identifier(side), self._object(self._columns, value))

    @staticmethod
    def _object(names: Sequence[str], value: sql.SQL) -> sql.Composable:
        return sql.SQL("jsonb_build_object({})").format(
            sql.SQL(", ").join(
                sql.SQL("{}::text, ").format(name) + value.format(sql.Identifier(name))
                for name in names
            )
        )


def _columns(
    made: Mapping[str, Any] | None, live: Mapping[str, Any] | None, key: Sequence[str]
) -> dict[str, tuple[Any, Any]]:
    names = [name for name in (made or live or {}) if name not in key]
    pairs = {name: ((made or {}).get(name), (live or {}).get(name)) for name in names}
    if made is None or live is None:
        return pairs
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
