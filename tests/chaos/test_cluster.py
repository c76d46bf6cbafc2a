"""A cluster loses a broker, a worker of Connect and a process of workers for good, one after the other."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

from cdc import connector
from cdc.kafka import new_admin
from consumers.runtime.group import read_groups
from infra.local.parts import CONNECT_OF_A_CLUSTER, KAFKA_OF_A_CLUSTER, SHARED
from infra.pipeline import GROUPS
from tests.again import show
from tests.faults.account import account, before
from tests.faults.load import Load, unanswered
from tests.faults.run import LIMIT_S, flowing
from tests.faults.verdict import judge
from tests.stack import RunningStack, make_directory, own_settings
from tests.workers.chance import tell

ORDERS_PER_S = 5
TIMEOUT_S = 10.0
WORKER = "payments-worker"
"""A consumer whose part is the shared process of all of them."""


@pytest.fixture
def cluster() -> Iterator[RunningStack]:
    directory = make_directory()
    stack = RunningStack(own_settings(directory / "home", profile="cluster", workers="shared"))
    try:
        stack.cli("up", "--json")
        yield stack
    finally:
        stack.delete()
        shutil.rmtree(directory)


@pytest.mark.alone
def test_any_one_of_several_may_be_lost_for_good(cluster: RunningStack) -> None:
    load = Load(cluster.settings.url_of("storefront"), per_s=ORDERS_PER_S)
    since = before(cluster)
    still_s: list[float] = []
    with flowing(cluster, load) as trial:
        for lost in losses(cluster):
            at = cluster.lose(lost)
            flow = trial.wait_until_flowing_again(at, f"the loss of {lost}")
            tell(
                f"{lost} lost: effects after {flow.flowing_s:.1f} s, all after {flow.drained_s:.1f} s"
            )
            still_s.append(flow.still_s)
    found = account(cluster, load, since)
    tell(f"{len(load.sent)} orders, {found.copies} records delivered more than once")
    assert list(judge(found).sentences()) == []
    assert unanswered(load.sent) == 0
    assert max(still_s) <= LIMIT_S
    what_is_down_is_named_and_started(cluster)


def losses(stack: RunningStack) -> Iterator[str]:
    """Yield what is to be lost next, and see afterwards that others have taken over what it did."""
    led = leaders(stack)
    broker, partitions = led.most_common(1)[0]
    yield KAFKA_OF_A_CLUSTER[broker - 1]
    show(partitions, "the broker that was lost led nothing")
    assert leaders(stack).keys() == led.keys() - {broker}
    assert leaders(stack).total() == led.total()

    ran = connector.status(stack.settings.connect_url, connector.NAME)
    yield part_of(stack, ran.worker)
    runs = connector.status(stack.settings.connect_url, connector.NAME)
    assert runs.is_running
    show(runs.worker != ran.worker, "the task did not run where it was lost")

    assert set(members(stack).values()) == {2}
    yield WORKER
    assert set(members(stack).values()) == {1}


def leaders(stack: RunningStack) -> Counter[int]:
    """Return how many partitions each broker leads; those that nobody leads are counted as of -1."""
    topics = new_admin(stack.settings.kafka_bootstrap).list_topics(timeout=TIMEOUT_S).topics
    return Counter(
        partition.leader for topic in topics.values() for partition in topic.partitions.values()
    )


def part_of(stack: RunningStack, worker: str | None) -> str:
    """Return the part that a worker of Connect is, by the address that the workers know it by."""
    urls = connector.urls_of(stack.settings.connect_url)
    return CONNECT_OF_A_CLUSTER[urls.index(f"http://{worker}")]


def members(stack: RunningStack) -> dict[str, int]:
    """Return how many workers each consumer has."""
    found = read_groups(new_admin(stack.settings.kafka_bootstrap), GROUPS)
    return {name: len(getattr(group, "members", ())) for name, group in found.items()}


def what_is_down_is_named_and_started(stack: RunningStack) -> None:
    findings = json.loads(stack.cli("doctor", "--json", check=False).stdout)
    wrong = {each["name"]: each["detail"] for each in findings if each["state"] == "wrong"}
    down = {name for name, part in stack.status().items() if part.state == "stopped"}
    assert down <= wrong.keys()
    assert "not in step: " in wrong["replicas"]
    started = json.loads(stack.cli("up", "--json").stdout)["started"]
    assert {SHARED} < set(started)
    assert len(started) == 3
    result = stack.cli("doctor")
    assert all(line.startswith("OK ") for line in result.stdout.splitlines()), result.stdout
