"""How far a relay has come in an outbox: what a snapshot sees, and perhaps a part of what a later one sees."""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple


class Progress(NamedTuple):
    """What is published of a shard."""

    since: str  # snapshot, in the text form of `pg_snapshot`, of which every row is published
    upto: str | None = None  # a later snapshot that is being worked off; None between two
    # of the rows that only `upto` sees, those with a `seq` not greater than this are published
    done: int | None = None


class Group(NamedTuple):
    """Shards that have come equally far, and so are read together."""

    progress: Progress
    shards: tuple[int, ...]


def groups(shards: Mapping[int, Progress]) -> list[Group]:
    found: dict[Progress, list[int]] = defaultdict(list)
    for shard, progress in shards.items():
        found[progress].append(shard)
    return [Group(progress, tuple(sorted(members))) for progress, members in found.items()]
