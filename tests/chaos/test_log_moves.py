"""The log moves under a worker: its topic is made anew, cut short, extended or deleted, while it runs or is away."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # the documented name

from infra.local.probe import wait_until
from tests.produce import Sender, create_topic
from tests.stack import RunningStack
from tests.workers.process import WorkerProcess
from tests.workers.trial import Trial, open_trial

PARTITIONS = 2
TIMEOUT_S = 30.0
FETCH_S = 0.5
"""Ten times as long as the broker keeps a fetch waiting for records."""


@pytest.fixture(scope="module")
def trial(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A worker at work, which outlives all of this."""
    directory = tmp_path_factory.mktemp("ledger")
    with open_trial(stack, directory, partitions=PARTITIONS, keys=4) as opened:
        opened.fleet.start()
        yield opened


@pytest.fixture
def worker(trial: Trial) -> WorkerProcess:
    [worker] = trial.fleet.workers
    return worker


def test_a_topic_made_anew_while_a_worker_is_away_is_read_from_its_beginning(
    trial: Trial, worker: WorkerProcess
) -> None:
    trial.load.send(40)
    trial.wait_effects(40)
    worker.freeze()
    make_anew(trial, PARTITIONS)
    trial.load.send(80)  # the positions lie within what it holds now
    worker.thaw()
    trial.wait_effects(120)
    assert_each_once(trial)
    assert "the topic was deleted and made anew" in worker.log()


@pytest.mark.parametrize(
    "partitions", [PARTITIONS, 1, PARTITIONS + 1], ids=["as many", "fewer", "more"]
)
def test_a_topic_made_anew_under_a_running_worker_is_taken_over(
    trial: Trial, worker: WorkerProcess, partitions: int
) -> None:
    trial.load.send(20)
    trial.wait_effects(len(trial.load.sent))
    make_anew(trial, partitions)
    trial.load.send(40)
    trial.wait_effects(len(trial.load.sent))
    assert_each_once(trial)
    [lag] = lags(trial)
    assert any("made anew" in reset for reset in lag["resets"])
    wait_until(
        "the worker does not tell of it",
        lambda: any("anew" in (held["reset"] or "") for held in worker.partitions().values()),
        timeout_s=TIMEOUT_S,
    )


def test_what_was_deleted_unread_is_counted_until_somebody_has_looked_into_it(
    trial: Trial, worker: WorkerProcess
) -> None:
    settled = trial.stack.cli("lag", trial.consumer, "--settle", "--json").stdout
    [lag] = json.loads(settled)
    assert (lag["lost"], lag["resets"]) == (0, [])
    worker.freeze()
    time.sleep(FETCH_S)  # a fetch that is under way would still be answered with what is sent
    lost = trial.load.new(10)
    trial.load.send(lost)
    del trial.load.sent[-len(lost) :]
    client = admin(trial)  # without which no answer would come
    ends = client.delete_records(
        [TopicPartition(trial.topic, p, -1) for p in range(PARTITIONS + 1)]
    )
    for answer in ends.values():
        answer.result()
    [lag] = lags(trial)
    assert lag["lost"] == 10  # known before the worker has seen it
    worker.thaw()
    trial.load.send(10)
    trial.wait_effects(len(trial.load.sent))
    assert_each_once(trial)
    shown = trial.stack.cli("lag", trial.consumer).stdout
    assert "were deleted unread" in shown
    [lag] = lags(trial)
    assert lag["lost"] == 10
    trial.stack.cli("lag", trial.consumer, "--settle")
    assert lags(trial)[0]["lost"] == 0


def test_partitions_that_are_added_are_read_in_seconds(trial: Trial, worker: WorkerProcess) -> None:
    client = admin(trial)
    [added] = client.create_partitions([NewPartitions(trial.topic, PARTITIONS + 2)]).values()
    added.result()
    trial.load._sender = Sender(trial.stack)
    trial.fleet.wait_until(
        "the new partition is not held",
        lambda: len(worker.partitions()) == PARTITIONS + 2,
        timeout_s=TIMEOUT_S,
    )
    trial.load.send(10, partition=PARTITIONS + 1)
    trial.wait_effects(len(trial.load.sent))


def test_a_worker_whose_topic_is_deleted_is_not_ready_until_there_is_one(
    trial: Trial, worker: WorkerProcess
) -> None:
    delete(trial)
    trial.fleet.wait_until(
        "it does not say so",
        lambda: "Kafka has no topic" in ((worker.health() or {}).get("trouble") or ""),
        timeout_s=TIMEOUT_S,
    )
    assert not worker.is_ready()
    health = worker.health() or {}
    assert (health["lag"], health["partitions"]) == (None, [])
    create_topic(trial.stack, name=trial.topic, partitions=PARTITIONS)
    trial.load._sender = Sender(trial.stack)
    trial.load.send(10)
    trial.wait_effects(len(trial.load.sent))
    assert_each_once(trial)
    trial.fleet.wait_until("it is not ready again", worker.is_ready, timeout_s=TIMEOUT_S)


def make_anew(trial: Trial, partitions: int) -> None:
    delete(trial)
    create_topic(trial.stack, name=trial.topic, partitions=partitions)
    trial.load._sender = Sender(trial.stack)  # the one before knows the partitions that there were


def delete(trial: Trial) -> None:
    """Delete the topic, and wait until its name is free."""
    client = admin(trial)
    [deleted] = client.delete_topics([trial.topic], operation_timeout=TIMEOUT_S).values()
    deleted.result()

    def is_gone() -> bool:
        try:
            return trial.topic not in client.list_topics(timeout=TIMEOUT_S).topics
        except KafkaException:
            return False

    wait_until("the topic is still there", is_gone, timeout_s=TIMEOUT_S)


def admin(trial: Trial) -> AdminClient:
    return AdminClient({"bootstrap.servers": trial.stack.settings.kafka_bootstrap})


def lags(trial: Trial) -> list[dict[str, Any]]:
    measured: list[dict[str, Any]] = json.loads(
        trial.stack.cli("lag", trial.consumer, "--json").stdout
    )
    return measured


def assert_each_once(trial: Trial) -> None:
    """Compare the effects with what was sent.

    The order is not compared: until the worker has noticed that a topic was made anew, what lies beyond its position
    may take effect before what lies below it.
    """
    written = Counter(entry.message_id for entry in trial.entries())
    assert written == Counter(record.message_id for record in trial.load.sent)
