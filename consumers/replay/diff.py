"""How the tables of a sandbox differ from the live ones.

Each row belongs to one of four parts. `in`: the replay has replayed all that the row comes from, and answers for it.
`edge`: only some of it. `out`: none of it. `unknown`: it is in the live table alone, and nobody has said how to tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["missing", "extra", "different"]
Part = Literal["in", "edge", "out", "unknown"]


@dataclass(frozen=True, slots=True)
class RowDiff:
    """A row that is not the same in both."""

    kind: Kind  # `missing` in the sandbox, `extra` there, or `different`
    part: Part
    key: Mapping[str, Any]
    # what differs: column -> value in the sandbox, value in the live table; of a row that one lacks, all
    columns: Mapping[str, tuple[Any, Any]]


@dataclass(slots=True)
class TableDiff:
    """How a table of the sandbox differs from the live one.

    Attributes:
        table: Its name.
        key: Columns by which rows were found again.
        left_out: Columns that were not compared.
        equal: Rows that the replay answers for and that are the same.
        counts: Part -> kind -> rows that are not.
        by_column: Column -> rows in which it differs, of those that the replay answers for.
        rows: Some of the rows that differ.
        compared: Part -> rows that are in one or both.
    """

    table: str
    key: tuple[str, ...]
    left_out: tuple[str, ...]
    equal: int = 0
    compared: dict[Part, int] = field(default_factory=dict)
    counts: dict[Part, dict[Kind, int]] = field(default_factory=dict)
    by_column: dict[str, int] = field(default_factory=dict)
    rows: list[RowDiff] = field(default_factory=list)

    def count(self, kind: Kind, part: Part = "in") -> int:
        return self.counts.get(part, {}).get(kind, 0)

    @property
    def differences(self) -> int:
        return sum(self.counts.get("in", {}).values())

    @property
    def is_equal(self) -> bool:
        return self.differences == 0
