"""One look at all workers of a process, and what each of them hears of it."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException

from cdc.kafka import Bounds, Topic
from consumers.runtime import watch as watch_of
from consumers.runtime import watchdog
from consumers.runtime.group import Group
from consumers.runtime.lanes import Progress
from consumers.runtime.peers import Peers
from consumers.runtime.store import Place
from consumers.runtime.watch import BLIND_LOOKS, Standing, Watch, Watched
from consumers.runtime.watchdog import Watchdog, watchdogs_for

ORDERS, PAYMENTS = "order.events", "payment.events"
SILENT = KafkaException(KafkaError(KafkaError._TRANSPORT, "no answer"))
LIMIT_S = 0.01


class Kafka:
    """Answers in the place of the clients, and stops the watchdog after a number of looks."""

    dog: Watchdog
    left: int

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[set[str]] = []
        self.is_silent = False
        self.now = time.monotonic()
        self.takes_s = self.waits_s = 0.0
        self.ended: list[str] = []
        self.groups: dict[str, Group | KafkaException] = {}
        monkeypatch.setattr(watchdog, "Admin", lambda _: self)
        monkeypatch.setattr(watchdog, "GroupReader", lambda _: self)
        monkeypatch.setattr(watchdog, "read_topics", self.read_topics)
        for module in (watchdog, watch_of):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    @contextmanager
    def asking(self) -> Iterator[None]:
        yield

    def read_topics(self, _: object, names: Collection[str], timeout_s: float) -> dict[str, Topic]:
        self.asked.append(set(names))
        self.left -= 1
        self.now += self.takes_s
        if not self.left:
            self.dog.stop()
        if self.is_silent:
            raise SILENT
        return {name: Topic(name, 1, {0: Bounds(0, 7)}) for name in names}

    def read(self, names: Sequence[str], timeout_s: float) -> Mapping[str, Group | KafkaException]:
        return {name: self.groups[name] for name in names}

    def close(self) -> None:
        pass

    def looked_at(self, *watches: Watch, times: int = 1) -> None:
        self.left, self.dog = times, Watchdog("", watches)
        wait = self.dog._stopped.wait

        def waited(timeout: float) -> bool:
            self.now += self.waits_s
            return wait(min(timeout, LIMIT_S))

        self.dog._stopped.wait = waited  # type: ignore[method-assign,assignment]
        self.dog.run()


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    return Kafka(monkeypatch)


def watch(
    group: str, *topics: str, at: str = "here:9092", position: int = 7, limit_s: float = LIMIT_S
) -> Watch:
    worker = Watched(
        bootstrap=at,
        group=group,
        topics=topics,
        progress=lambda: {Place(topics[0], 0): Progress(position, moved_at=0, tried_at=0)},
        topic_ids=lambda: dict(zip(topics, topics, strict=True)),
        is_taking_over=lambda: False,
        moved=lambda: None,
        end=lambda _: None,
    )
    found = Watch(worker, Peers("127.0.0.1", group), limit_s)
    found.is_kept = True
    return found


def stable(*topics: str) -> Group:
    held = frozenset(Place(topic, 0) for topic in topics)
    return Group(ConsumerGroupState.STABLE, {"one": "client"}, held)


def test_topics_of_all_are_asked_for_at_once_and_each_hears_of_its_own(kafka: Kafka) -> None:
    kafka.groups = {"payments": stable(ORDERS), "analytics": stable(ORDERS, PAYMENTS)}
    payments, analytics = watch("payments", ORDERS), watch("analytics", ORDERS, PAYMENTS)
    kafka.looked_at(payments, analytics)
    assert kafka.asked[0] == {ORDERS, PAYMENTS}
    assert payments.ends == {Place(ORDERS, 0): 7}
    assert analytics.ends == {Place(ORDERS, 0): 7, Place(PAYMENTS, 0): 7}
    assert not payments.trouble
    assert not analytics.trouble


def test_a_group_that_is_not_told_of_takes_nobody_else_sight(kafka: Kafka) -> None:
    kafka.groups = {"payments": stable(ORDERS), "analytics": SILENT}
    payments, analytics = watch("payments", ORDERS), watch("analytics", PAYMENTS)
    kafka.looked_at(payments, analytics, times=BLIND_LOOKS)
    assert (payments.trouble, payments.blind) == ("", 0)
    assert analytics.trouble == "Kafka does not answer: no answer"
    assert payments.seen_at > 0 < analytics.seen_at, "where topics end was known"


@pytest.mark.parametrize("what", ["standing", "compare", "judge"])
def test_a_look_at_one_that_fails_keeps_nobody_from_the_others(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    def broken(*_: object) -> Standing:
        raise RuntimeError("no idea")

    kafka.groups = {"payments": stable(ORDERS), "analytics": stable(PAYMENTS)}
    payments, analytics = watch("payments", ORDERS), watch("analytics", PAYMENTS)
    monkeypatch.setattr(payments, what, broken)
    analytics.blind = 1
    kafka.looked_at(payments, analytics)
    assert "no idea" in caplog.text
    assert (analytics.blind, analytics.seen_at > 0) == (0, True)


def test_who_does_not_work_yet_is_not_looked_at(kafka: Kafka) -> None:
    kafka.groups = {"payments": stable(ORDERS)}
    payments, other = watch("payments", ORDERS), watch("analytics", PAYMENTS)
    other.is_kept = False
    kafka.looked_at(payments, other)
    assert kafka.asked[0] == {ORDERS}
    assert other.seen_at == 0


def test_that_kafka_is_silent_is_said_after_a_while_by_all(kafka: Kafka) -> None:
    kafka.is_silent = True
    watches = [watch("payments", ORDERS), watch("analytics", PAYMENTS)]
    kafka.looked_at(*watches, times=BLIND_LOOKS - 1)
    assert [each.trouble for each in watches] == ["", ""]
    kafka.looked_at(*watches)
    assert all("does not answer" in each.trouble for each in watches)


@pytest.fixture
def behind(kafka: Kafka) -> Watch:
    """Return who fetches nothing, and would be ended for it after 20 s."""
    kafka.groups = {"payments": stable(ORDERS)}
    found = watch("payments", ORDERS, position=3, limit_s=120.0)
    found.worker = replace(found.worker, end=kafka.ended.append)
    return found


def test_a_kafka_that_answers_slowly_blinds_nobody(kafka: Kafka, behind: Watch) -> None:
    kafka.takes_s = 3.5
    kafka.looked_at(behind, times=8)
    assert kafka.ended


@pytest.mark.parametrize("what", ["takes_s", "waits_s"])
def test_a_process_that_was_frozen_concludes_nothing(
    kafka: Kafka, behind: Watch, what: str
) -> None:
    kafka.looked_at(behind)
    setattr(kafka, what, 60.0)
    kafka.looked_at(behind, times=3)
    assert not kafka.ended
    setattr(kafka, what, 2.5)
    kafka.looked_at(behind, times=9)
    assert kafka.ended


def test_what_was_seen_before_kafka_was_away_says_nothing(kafka: Kafka, behind: Watch) -> None:
    kafka.looked_at(behind)
    kafka.is_silent, kafka.takes_s = True, 2.5
    kafka.looked_at(behind, times=12)
    kafka.is_silent = False
    kafka.looked_at(behind)
    assert not kafka.ended


def test_each_cluster_has_a_watchdog_of_its_own() -> None:
    here, too = watch("payments", ORDERS), watch("analytics", ORDERS)
    there = watch("reports", ORDERS, at="there:9092")
    assert [dog.watches for dog in watchdogs_for([here, there, too])] == [[here, too], [there]]
