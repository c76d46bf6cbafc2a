"""`tailrace lag`: how far consumers are behind, by the database's positions and Kafka's ends."""

import contextlib
import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from cdc.ids import new_id
from infra.local.probe import wait_until
from tests.produce import create_topic, produce
from tests.stack import RunningStack
from tests.workers.picky import BROKEN
from tests.workers.scene import Scene, beside, open_scene


@pytest.fixture(scope="module")
def scene(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A worker at work."""
    with open_scene(stack, tmp_path_factory.mktemp("mended")) as opened:
        yield opened


def test_without_its_worker_nothing_is_waited_for_and_the_lag_grows(scene: Scene) -> None:
    key, other = str(new_id()), str(new_id())
    [place] = scene.send_payments(key, BROKEN)
    scene.mend(key)
    scene.stop()
    result = scene.cli("parked", "retry", place, "--why", "nobody is there", check=False)
    assert result.returncode == 1
    assert "0 took effect, 0 failed again, 1 still waiting" in result.stdout
    assert f"{scene.name} does not run: nothing is tried until it runs" in result.stderr
    left = scene.cli("parked", "retry", place, "--why", "nobody is there", "--no-wait")
    assert left.stdout == "1 message due.\n"
    produce(scene.stack, scene.topic, [scene.payment(other) for _ in range(3)])
    [lag] = lags(scene, scene.name)
    assert (lag["messages"], lag["parked"], lag["dead"]) == (3, 1, 0)
    assert 0 < lag["seconds"] < 60
    scene.start()
    wait_until("the lag stays", lambda: lags(scene, scene.name)[0]["messages"] == 0, timeout_s=30)
    wait_until("it is not retried", lambda: scene.effects(key) == [(key, BROKEN)], timeout_s=10)
    [lag] = lags(scene, scene.name)
    assert (lag["seconds"], lag["parked"]) == (0.0, 0)


def test_lag_is_measured_between_the_positions_in_the_database_and_the_ends(
    stack: RunningStack, scene: Scene
) -> None:
    topic = create_topic(stack, partitions=1)
    for committed in (True, False, False):
        in_a_transaction(stack, topic, committed=committed)
    ended = f"{scene.name}-ended"
    for position, messages in {0: 6, 1: 0, 6: 0, 99: 6}.items():
        with at(scene, ended, topic, position):
            [lag] = lags(scene, ended)
        assert lag["messages"] == messages, position
        assert (lag["seconds"] > 0) == (messages > 0)
        [partition] = lag["partitions"]
        assert (partition["position"], partition["end"], partition["duplicates"]) == (
            position,
            6,
            2,
        )
    with at(scene, ended, "no-such-topic", 5):
        [lag] = lags(scene, ended)
        assert (lag["messages"], lag["seconds"]) == (None, None)
        assert "topic gone" in scene.cli("lag", ended).stdout
        table = scene.cli("lag", ended, "--partitions").stdout.splitlines()
    assert table[1].split()[:5] == [ended, "no-such-topic", "0", "5", "gone"]
    everybody = {(lag["consumer"], lag["topic"]) for lag in lags(scene)}
    assert {("payments-worker", "order.events"), (scene.name, scene.topic)} <= everybody


def test_lag_is_watched_until_it_is_interrupted(scene: Scene) -> None:
    with beside(scene.stack, "lag", scene.name, "--watch", "--json") as watch:
        assert watch.stdout is not None
        seen = [json.loads(watch.stdout.readline())["lags"] for _ in range(2)]
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 0
    assert [lag["consumer"] for (lag,) in seen] == [scene.name] * 2


def lags(scene: Scene, *consumers: str) -> list[dict[str, Any]]:
    measured: list[dict[str, Any]] = json.loads(scene.cli("lag", "--json", *consumers).stdout)
    return measured


@contextlib.contextmanager
def at(scene: Scene, consumer: str, topic: str, position: int) -> Iterator[None]:
    """Have a consumer at a position, as one that was at work there."""
    insert = (
        "insert into consumer_offset (consumer, topic, partition, next_offset, duplicates)"
        " values (%s, %s, 0, %s, 2)"
    )
    with scene.connect() as connection:
        connection.execute(insert, [consumer, topic, position])
    yield
    with scene.connect() as connection:
        connection.execute("delete from consumer_offset where consumer = %s", [consumer])


def in_a_transaction(stack: RunningStack, topic: str, *, committed: bool) -> None:
    """Write one record and the mark of the transaction's end."""
    producer = Producer(
        {
            "bootstrap.servers": stack.settings.kafka_bootstrap,
            "transactional.id": f"test-{new_id()}",
        }
    )
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, b"record")
    producer.flush()
    if committed:
        producer.commit_transaction()
    else:
        producer.abort_transaction()
