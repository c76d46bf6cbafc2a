"""The checker of order: versions of each key, as they come first to whoever reads a topic."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tests.kafka import records_of
from tests.stack import RunningStack


def first_versions(stack: RunningStack, topic: str) -> dict[str, list[int]]:
    """Return the versions of each key in the order in which they first came, and so what consumers take.

    A record without a message id comes from no outbox, and is left out.
    """
    firsts = [
        min(copies, key=lambda record: record.offset)
        for message_id, copies in records_of(stack, topic).items()
        if message_id
    ]
    found: dict[str, list[int]] = defaultdict(list)
    for record in sorted(firsts, key=lambda record: record.offset):
        assert record.key is not None
        found[record.key.decode()].append(int(record.headers["aggregate_version"] or 0))
    return dict(found)


def broken(versions: Mapping[str, Sequence[int]]) -> list[str]:
    """Return the keys of which the versions do not rise by one from 1 on."""
    return [key for key, seen in versions.items() if list(seen) != list(range(1, len(seen) + 1))]
