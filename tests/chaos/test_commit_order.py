"""Transactions that commit in another order than they wrote in: consumers see each aggregate's versions in turn."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdc.ids import new_id
from tests.again import show
from tests.canaries import Canaries
from tests.relays.world import open_world
from tests.stack import RunningStack
from tests.workers.trial import Trial, open_trial

AGGREGATES = 6
EXAMPLES = 15

# in a round each aggregate is changed by at most one transaction, which appends one to three events
ROUND = st.dictionaries(st.integers(0, AGGREGATES - 1), st.integers(1, 3), min_size=2).flatmap(
    lambda changes: st.tuples(st.just(changes), st.permutations(sorted(changes)))
)


class Writers:
    """Services that change aggregates side by side."""

    def __init__(self, canaries: Canaries) -> None:
        self._canaries = canaries
        self._run = new_id().hex
        self.versions: dict[str, list[UUID]] = defaultdict(list)
        """The messages of each aggregate, by version."""

    def write(self, changes: dict[int, int], commit_order: list[int]) -> None:
        """Have each aggregate's transaction append in the order given, and commit in the other."""
        with ExitStack() as stack:
            open_ = {number: stack.enter_context(self._canaries.connect()) for number in changes}
            for number, events in changes.items():
                known = self.versions[key := f"{self._run}-{number}"]
                known += self._canaries.append(
                    open_[number], key, after_version=len(known), events=events
                )
            for number in commit_order:
                open_[number].commit()


@pytest.fixture
def trial(stack: RunningStack, tmp_path: Path) -> Iterator[Trial]:
    with open_trial(stack, tmp_path, partitions=2) as trial:
        yield trial


@pytest.fixture(params=["cdc", "relay"])
def canaries(
    request: pytest.FixtureRequest, stack: RunningStack, trial: Trial
) -> Iterator[Canaries]:
    """What the canary writes, published by the connector, and what is written to an outbox of two relays."""
    if request.param == "cdc":
        yield Canaries(stack, trial.topic)
        return
    with open_world(stack, topic=trial.topic) as world:
        world.start(2)
        yield world.canaries


def test_versions_come_in_turn_whatever_the_order_of_commits(
    trial: Trial, canaries: Canaries
) -> None:
    writers = Writers(canaries)
    trial.fleet.start(2)

    @settings(
        max_examples=EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(ROUND, min_size=1, max_size=4))
    def change(rounds: list[tuple[dict[int, int], list[int]]]) -> None:
        for changes, commit_order in rounds:
            writers.write(changes, commit_order)

    change()
    written = sum(map(len, writers.versions.values()))
    trial.wait_effects(written)

    seen: dict[str, list[UUID]] = defaultdict(list)
    by_partition: dict[int, list[UUID]] = defaultdict(list)
    for entry in trial.entries():
        seen[entry.key].append(entry.message_id)
        by_partition[entry.partition].append(entry.message_id)
    assert seen == writers.versions
    late = any(late_commits(canaries, ids) for ids in by_partition.values())
    show(late, "all commits came in the order of the writes")


def late_commits(canaries: Canaries, delivered: list[UUID]) -> int:
    """Return how many messages came after one that was written later: what a poller by id would have missed."""
    with canaries.connect() as connection:
        rows = connection.execute("select id, seq from outbox where id = any(%s)", [delivered])
        written: dict[UUID, int] = dict(rows.fetchall())
    numbers = [written[message_id] for message_id in delivered]
    return sum(later < earlier for earlier, later in pairwise(numbers))
