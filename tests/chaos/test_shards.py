"""Several connectors capture a database: one is lost and recovered, and their number changes, while orders flow."""

import json
import shutil
from collections.abc import Iterator
from time import monotonic

import pytest

from infra.capture import slot
from infra.deployment import Shard
from infra.local.probe import wait_until
from infra.sharding.marks import Dealt, dealt
from infra.sharding.reshard import reshard
from tests import slots
from tests.again import show
from tests.doctor import wait_until_well
from tests.faults.account import account, before
from tests.faults.load import Load, unanswered
from tests.faults.run import Trial, flowing
from tests.faults.verdict import judge
from tests.kafka import records_of
from tests.stack import RunningStack, make_directory, own_settings
from tests.workers.chance import tell

ORDERS_PER_S = 3
TOPIC = "order.events"
WRITTEN = """
select id::text from orders.outbox_event
where seq > %s and (hashtextextended(aggregate_id, 0) & 9223372036854775807) %% 2 = %s
"""
NEWEST = "select max(seq) from orders.outbox_event"
SLOTS = "select slot_name::text, active from pg_replication_slots order by 1"
PUBLICATIONS = "select pubname::text from pg_publication order by 1"


@pytest.fixture
def own() -> Iterator[RunningStack]:
    directory = make_directory()
    stack = RunningStack(own_settings(directory / "home", shards="main=2"))
    try:
        stack.cli("up", "--json")
        yield stack
    finally:
        stack.delete()
        shutil.rmtree(directory)


def test_keys_keep_their_order_by_whichever_connector_they_go(own: RunningStack) -> None:
    load = Load(own.settings.url_of("storefront"), per_s=ORDERS_PER_S)
    since = before(own)
    with flowing(own, load) as trial:
        one_of_two_is_lost_and_recovered(own, trial)
        there_are_three_from_now_on(own, trial)
        there_is_one_again(own, trial)
    found = account(own, load, since)
    tell(f"{len(load.sent)} orders, {found.copies} records delivered more than once")
    assert list(judge(found).sentences()) == []
    assert unanswered(load.sent) == 0
    assert slots.verify(own, TOPIC)["ok"]
    wait_until_well(own)


def one_of_two_is_lost_and_recovered(stack: RunningStack, trial: Trial) -> None:
    first, second = stack.deployment.shards
    reader = read_by(first)
    slots.drop(stack, second.slot)
    [[newest]] = slots.as_superuser(stack, NEWEST)
    wait_until(
        "nothing goes by the connector that is whole",
        lambda: bool(written(stack, newest, first) & published(stack)),
        timeout_s=60,
        interval_s=0.5,
    )
    wait_until(
        "no order has a key of the connector that is lost",
        lambda: bool(written(stack, newest, second)),
        timeout_s=60,
        interval_s=0.5,
    )
    assert not written(stack, newest, second) & published(stack)
    recovered = slots.recover(stack)
    assert recovered["ailment"] == "missing"
    show(recovered["rows"], "nothing was lost")
    assert written(stack, newest, second) & published(stack)
    assert read_by(first) == reader, "the other connector was disturbed"
    trial.wait_until_flowing_again(monotonic(), "the recovery")


def there_are_three_from_now_on(stack: RunningStack, trial: Trial) -> None:
    stack.settings = stack.settings.model_copy(update={"shards": "main=3"})
    stack.environment |= stack.settings.environment()
    refused = stack.cli("up", check=False)
    assert refused.returncode == 1
    assert "is captured by 2 connectors, and the settings say 3 connectors" in refused.stderr
    a_slot_is_lost_in_the_midst_of_a_change(stack)
    at = monotonic()
    [change] = json.loads(stack.cli("connector", "reshard", "--yes", "--json").stdout)
    flow = trial.wait_until_flowing_again(at, "the change")
    tell(
        f"{change['seconds']:.1f} s from one to three; the next order after {flow.flowing_s:.1f} s"
    )
    assert (change["before"], change["after"]) == (1, 3)
    names = ["tailrace_outbox", "tailrace_outbox_2", "tailrace_outbox_3"]
    assert slots.as_superuser(stack, SLOTS) == [(name, True) for name in names]
    assert slots.as_superuser(stack, PUBLICATIONS) == [(name,) for name in names]


def there_is_one_again(stack: RunningStack, trial: Trial) -> None:
    stack.settings = stack.settings.model_copy(update={"shards": ""})
    stack.environment |= stack.settings.environment()
    at = monotonic()
    [change] = reshard(stack.deployment, lambda _: None)
    trial.wait_until_flowing_again(at, "the change back")
    tell(f"{change.seconds:.1f} s from three to one")
    assert slots.as_superuser(stack, SLOTS) == [("tailrace_outbox", True)]
    assert dealt(stack.deployment.main) == Dealt()


class GivenUpError(Exception):
    """Somebody has ended a change."""


def a_slot_is_lost_in_the_midst_of_a_change(stack: RunningStack) -> None:
    """Rows go to one connector already, which waits for what two have not published yet, and one of them never will."""

    def interrupt(line: str) -> None:
        if "from now on" in line:
            raise GivenUpError

    with pytest.raises(GivenUpError):
        reshard(stack.deployment, interrupt)
    slots.drop(stack, "tailrace_outbox_2")
    found = dealt(stack.deployment.main)
    assert found is not None
    assert (found.count, found.were) == (1, 2)
    refused = stack.cli("connector", "reshard", "--yes", check=False)
    assert refused.returncode == 1
    assert "`tailrace connector recover --capture main --force`" in refused.stderr
    slots.recover(stack, "--force", "--capture", "main")
    assert dealt(stack.deployment.main) == Dealt()


def read_by(shard: Shard) -> int | None:
    held = slot(shard)
    assert held is not None
    return held.active_pid


def written(stack: RunningStack, after: int, shard: Shard) -> set[str]:
    """Return the ids of events of orders with keys of one of two shards."""
    return {each for (each,) in slots.as_superuser(stack, WRITTEN, after, shard.keys.number)}


def published(stack: RunningStack) -> set[str]:
    return set(records_of(stack, TOPIC))
