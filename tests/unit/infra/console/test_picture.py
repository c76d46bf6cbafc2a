"""The picture of the flow: everything that is declared is in it, nothing lies on anything else, and labels are true."""

from itertools import combinations

import pytest

from consumers.runtime.lag import PartitionLag, TopicLag
from infra.console.overview.picture import HEADING, WIDTH, Box, Drawn, layout, picture
from infra.console.overview.sources import Pipeline
from infra.deployment import Publisher
from infra.operations.outbox.waiting import Rows, Waiting
from infra.services import CANARY, OUTBOXES, SERVICES, WORKERS
from schemas.catalogue import catalogue

QUIET = Waiting(published_by="cdc", outboxes={schema: Rows(0, None) for schema in OUTBOXES})


def boxes(kind: str) -> dict[str, Box]:
    return {box.name: box for box in layout().boxes if box.kind == kind}


def drawn(found: list[Drawn], kind: str, name: str) -> Drawn:
    return next(each for each in found if (each.box.kind, each.box.name) == (kind, name))


def lag(messages: int, seconds: float, dead: int = 0) -> TopicLag:
    partition = PartitionLag(
        partition=0,
        position=5,
        end=5 + messages,
        messages=messages,
        seconds=seconds,
        duplicates=0,
    )
    return TopicLag(
        consumer="payments-worker",
        topic="order.events",
        partitions=[partition],
        parked=dead,
        dead=dead,
    )


def pipeline(found: TopicLag) -> Pipeline:
    published: dict[str, float | None] = dict.fromkeys(catalogue().topics, 0.0)
    return Pipeline(
        lags=[found],
        published=published | {"order.events": 12.0},
        taken={("payments-worker", "order.events"): 11.5},
        findings=[],
    )


def label(found: TopicLag) -> tuple[str, str]:
    shown = picture({}, pipeline(found), QUIET)
    lines = dict(drawn(list(shown.boxes), "consumer", "payments-worker").lines)
    return lines["order.events"].text, lines["order.events"].state


def test_all_that_is_declared_is_in_it() -> None:
    assert boxes("outbox").keys() == set(OUTBOXES) - {CANARY}
    assert boxes("consumer").keys() == {worker.name for worker in WORKERS}
    parts = {part for box in layout().boxes for part in box.parts}
    assert parts == {service.name for service in SERVICES if service.kind != "relay"}
    taken = {(name, line) for name, box in boxes("consumer").items() for line in box.lines}
    declared = {
        (name, topic.name)
        for topic in catalogue().topics.values()
        for name in topic.consumers
        if name in boxes("consumer")
    }
    assert taken == declared
    assert {topic for _, topic in declared} <= boxes("topic").keys()


def test_nothing_lies_on_anything_else_or_outside() -> None:
    for box in layout().boxes:
        assert 0 <= box.x < box.x + box.width <= WIDTH
        assert HEADING <= box.y < box.y + box.height <= layout().height
    for one, other in combinations(layout().boxes, 2):
        beside = one.x + one.width <= other.x or other.x + other.width <= one.x
        above = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert beside or above, (one, other)


def test_what_is_taken_and_how_far_behind_stands_at_the_arrow() -> None:
    assert label(lag(0, 0.0)) == ("12/s · 0 s", "busy")
    assert label(lag(3, 0.4)) == ("12/s · 3 behind, 0.4 s", "busy")
    assert label(lag(3000, 90.0)) == ("12/s · 3,000 behind, 1 min 30 s", "late")
    assert label(lag(0, 0.0, dead=2)) == ("12/s · 0 s, 2 dead", "bad")


def test_what_waits_stands_at_its_outbox() -> None:
    rows = {"orders": Rows(7, 12.0), "payments": Rows(1, 0.2)}
    waiting = Waiting(published_by="relay", outboxes={**(QUIET.outboxes or {}), **rows})
    found = list(picture({"relay": "running"}, None, waiting).boxes)
    assert drawn(found, "outbox", "orders").label.text == "7 waiting, 12 s"
    assert drawn(found, "outbox", "orders").label.state == "late"
    assert drawn(found, "outbox", "payments").label.state == "busy"
    publisher = drawn(found, "publisher", "publisher")
    assert (publisher.title, publisher.label.text) == ("relay", "8 waiting")
    assert [(part.name, part.is_well) for part in publisher.parts] == [("relay", True)]


def test_without_servers_everything_is_there_and_not_known() -> None:
    found = picture(None, None, None)
    assert {each.label.text for each in found.boxes if each.box.kind == "topic"} == {"not known"}
    assert {state for _, state in found.arrows} == {"idle", "unknown"}


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("cdc", ["connect"]),
        ("cdc", ["connect-1", "connect-2"]),
        ("relay", ["relay"]),
        ("relay", ["relay", "relay-2"]),
    ],
)
def test_all_that_publish_are_seen(by: Publisher, names: list[str]) -> None:
    states = dict.fromkeys(names, "running") | {names[-1]: "stopped", "kafka": "running"}
    shown = picture(states, None, Waiting(published_by=by, outboxes={}))
    parts = drawn(list(shown.boxes), "publisher", "publisher").parts
    assert [(part.name, part.state) for part in parts] == [(name, states[name]) for name in names]


def test_a_part_that_is_down_is_seen_at_its_service() -> None:
    states = {service.name: "running" for service in SERVICES} | {"orders-grpc": "stopped"}
    found = list(picture(states, None, None).boxes)
    assert drawn(found, "service", "orders").label.text == "1 of 3 stopped"
    assert drawn(found, "service", "orders").label.state == "bad"
    assert drawn(found, "service", "payments").label.text == "1 part"
