"""Shards: the keys of a database dealt out by their hash, so that each of several connectors carries some of them.

A key has one hash, so all of its rows go the same way, whichever outbox they are in, and keep their order.
"""

from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

HASH: LiteralString = "(hashtextextended(aggregate_id, 0) & 9223372036854775807)"
"""Of a row of an outbox; the relay deals out keys by the same."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one shard.

    Args:
        number: Which shard, from 0.
        of: How many there are.
    """

    number: int = 0
    of: int = 1

    @property
    def row_filter(self) -> str | None:
        """What rows of these keys fulfil, as SQL that a publication takes; None when all do."""
        return None if self.of == 1 else f"{HASH} % {self.of} = {self.number}"

    @property
    def parameters(self) -> dict[str, int]:
        """What queries are given that ask for rows of these keys alone."""
        return {"shards": self.of, "shard": self.number}


ALL = Keys()
"""What a connector carries that is the only one."""


def published(table: sql.Composable, row_filter: str | None) -> sql.Composable:
    """Return a table with its row filter, as it is listed in a publication."""
    if row_filter is None:
        return table
    return sql.SQL("{} where ({})").format(table, sql.SQL(row_filter))
