"""When Kafka has deleted what is wanted, the event log has it; on a stack of its own, where nobody misses it."""

import json
import shutil
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka import ends_of
from tests.orders import place, wait_until_decided
from tests.projections import corrupt, from_the_log, live
from tests.replays import keys, refused, replay
from tests.stack import RunningStack, make_directory, own_settings

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def short() -> Iterator[RunningStack]:
    """A stack whose Kafka will lack something."""
    directory = make_directory()
    running = RunningStack(own_settings(directory / "home"))
    try:
        running.cli("up", "--json")
        yield running
    finally:
        running.cli("reset", "--yes")
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def orders(short: RunningStack) -> Sequence[str]:
    """Orders of which Kafka has nothing left, but perhaps the last record of a partition."""
    ids = [place(short, customer_id=name)["order_id"] for name in ("ada", "declined-bob") * 4]
    wait_until_decided(short, ids)
    ends = ends_of(short, "order.events")
    admin = AdminClient({"bootstrap.servers": short.settings.kafka_bootstrap, "log_level": 0})
    deleted = [TopicPartition("order.events", p, end - 1) for p, end in ends.items() if end]
    for answer in admin.delete_records(deleted, request_timeout=TIMEOUT_S).values():
        answer.result()
    return ids


def test_the_log_is_read_by_itself_and_that_is_said(
    short: RunningStack, orders: Sequence[str]
) -> None:
    told = replay(short, "--consumer=payments", *keys(list(orders)))
    assert (told["plan"]["source"], told["applied"], told["equal"]) == ("log", 8, True)
    said = short.cli("replay", "--topic=order.events", "--dry-run").stdout
    assert "from the event log (Kafka keeps order.events only from" in said


def test_kafka_can_be_insisted_on(short: RunningStack, orders: Sequence[str]) -> None:
    told = replay(short, "--topic=order.events", "--source=kafka", "--dry-run")
    assert told["messages"] < 2 * len(orders)
    assert "what came before is left out" in told["why"]
    ends = ends_of(short, "order.events")
    fullest = max(ends, key=lambda partition: ends[partition])
    chosen = ["--consumer=payments", "--source=kafka", f"--from={fullest}:0"]
    assert "is none of them" in refused(short, *chosen, code=1)


def test_a_rebuild_takes_the_old_from_the_log_and_the_new_from_kafka(
    short: RunningStack, orders: Sequence[str]
) -> None:
    wait_until_decided(short, [place(short)["order_id"]])
    corrupt(short)
    told = json.loads(short.cli("projections", "rebuild", "analytics", "--json").stdout)
    assert told["messages"] >= 2 * len(orders)
    assert live(short) == from_the_log(short)
