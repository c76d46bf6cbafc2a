"""Shards: the keys of a database dealt out by their hash, so that each of several connectors carries some of them.

A key has one hash, so all of its rows go the same way, whichever outbox they are in, and keep their order.
"""

from dataclasses import dataclass
from typing import LiteralString

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
