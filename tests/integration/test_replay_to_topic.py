"""`tailrace replay --to-topic`: the same bytes in another topic, and where each of them came from."""

import signal
from collections import defaultdict

import pytest

from cdc.ids import new_id
from infra.local.probe import wait_until
from tests.kafka import SeenRecord, ends_of, records_of
from tests.orders import place, wait_until_decided
from tests.produce import create_topic
from tests.replays import BackgroundReplay, keys, refused, replay
from tests.stack import RunningStack


@pytest.fixture(scope="module")
def orders(stack: RunningStack) -> list[str]:
    """Orders that were decided."""
    ids = [place(stack)["order_id"] for _ in range(5)]
    wait_until_decided(stack, ids)
    return ids


def records(stack: RunningStack, topic: str, orders: list[str]) -> list[SeenRecord]:
    """Return the records of orders, those of a partition in their order."""
    found = [each for copies in records_of(stack, topic).values() for each in copies]
    mine = [each for each in found if each.key and each.key.decode() in orders]
    return sorted(mine, key=lambda each: (each.partition, each.offset))


@pytest.mark.parametrize("source", ["kafka", "log"])
def test_bytes_keys_headers_and_order_stay(
    stack: RunningStack, orders: list[str], source: str
) -> None:
    topic = f"copy-{new_id()}"
    told = replay(
        stack,
        *("--topic=order.events", f"--to-topic={topic}", "--create", f"--source={source}"),
        *keys(orders),
    )
    assert (told["topic"], told["messages"]) == (topic, 10)
    before, after = (records(stack, each, orders) for each in ("order.events", topic))
    by_key: defaultdict[bytes | None, list[SeenRecord]] = defaultdict(list)
    for record in after:
        by_key[record.key].append(record)
    for original in before:
        copy = by_key[original.key].pop(0)
        origin = copy.headers.pop("replayed_from")
        if source == "kafka":
            assert origin == f"order.events/{original.partition}/{original.offset}"
        else:
            assert origin is not None
            assert origin.startswith("log:")
        assert (copy.value, copy.headers) == (original.value, original.headers)
        assert copy.partition == original.partition, "a key stays where it belongs"
    assert not any(by_key.values())


def test_one_that_is_interrupted_goes_on_and_publishes_nothing_twice(
    stack: RunningStack, orders: list[str]
) -> None:
    topic = create_topic(stack, partitions=6)
    aim = ["--topic=order.events", f"--to-topic={topic}"]
    begun = BackgroundReplay(stack, *aim, "--rate=3", *keys(orders))
    wait_until("nothing is published", lambda: any(ends_of(stack, topic).values()), timeout_s=30)
    assert "--resume" in begun.end(signal.SIGINT)
    before = sum(ends_of(stack, topic).values())
    assert 0 < before < 10
    told = replay(stack, "--resume", "--rate=1000")
    assert told["messages"] == 10 - before
    copies = records(stack, topic, orders)
    assert len({each.headers["ce_id"] for each in copies}) == len(copies) == 10


def test_a_topic_that_workers_read_is_written_to_only_when_it_is_meant(
    stack: RunningStack, orders: list[str]
) -> None:
    why = refused(stack, "--topic=order.events", "--to-topic=payment.events", *keys(orders), code=2)
    assert "read by orders-worker" in why


def test_nothing_chosen_is_an_error(stack: RunningStack, orders: list[str]) -> None:
    chosen = ["--topic=order.events", f"--key={orders[0]}", "--where=total>1000000"]
    assert "no message in the range matches the filters" in refused(
        stack, *chosen, f"--to-topic=copy-{new_id()}", "--create", code=1
    )
