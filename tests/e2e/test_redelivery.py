"""Whole topics delivered again change no effect."""

from collections.abc import Iterator

import psycopg

from infra.local.probe import wait_until
from infra.services import WORKERS
from schemas.catalogue import catalogue
from tests.books import disagreements
from tests.kafka import SeenRecord, bounds_of, records_of
from tests.orders import (
    duplicates_by_worker,
    effects,
    place,
    place_lines,
    projection,
    wait_until_decided,
)
from tests.stack import RunningStack

Positions = dict[tuple[str, int], int]


def test_redelivering_whole_topics_to_every_worker_changes_no_effect(stack: RunningStack) -> None:
    ids = [place(stack, customer_id=name)["order_id"] for name in ("ada", "declined-bob", "cleo")]
    ids += [place_lines(stack, {}, fulfilment="orchestration")["order_id"]]
    wait_until_decided(stack, ids)
    wait_until("the books do not agree", lambda: not disagreements(stack, ids), timeout_s=60)
    names = [worker.name for worker in WORKERS]
    for name in names:
        stack.stop(name)
    before, found, counted = duplicates_by_worker(stack), effects(stack, ids), projection(stack)
    ends = {name: positions(stack, name) for name in names}
    for name in names:
        rewind(stack, name)
    stack.cli("up")
    wait_until(
        "the workers have not gone through their topics again",
        lambda: all(are_past(positions(stack, name), ends[name]) for name in names),
        timeout_s=120,
    )
    dropped = duplicates_by_worker(stack)
    for name in names:
        may = list(deliverable(stack, name))
        # commands may have expired since, and are dropped before anybody asks whether they were there before
        must = [
            record
            for topic, record in may
            if record.offset < ends[name].get((topic, record.partition), 0)
            and record.headers.get("expires_at") is None
        ]
        assert len(must) <= dropped[name] - before[name] <= len(may), name
    assert dropped.total() > before.total()
    assert effects(stack, ids) == found
    assert projection(stack) == counted
    assert not disagreements(stack, ids)
    for name in names:
        skip_what_has_no_id(stack, name)


def deliverable(stack: RunningStack, worker: str) -> Iterator[tuple[str, SeenRecord]]:
    """Yield the records of a worker's topics that its inbox may find to be delivered again, with their topics."""
    for topic in catalogue().topics.values():
        if worker in topic.takers:
            # what is addressed to a worker concerns it, even if it has no handler and parks it
            addressed = topic.name in catalogue().addressed
            for message_id, copies in records_of(stack, topic.name).items():
                # what a test has sent without an id is a dead letter, not a duplicate
                yield from (
                    (topic.name, record)
                    for record in copies
                    if message_id
                    and (addressed or record.headers["ce_type"] in topic.consumers[worker])
                )


def rewind(stack: RunningStack, worker: str) -> None:
    """Put a worker that is not running back to the beginning of its topics."""
    places = positions(stack, worker)
    assert places
    begins = {
        (topic, partition): begin
        for topic in {topic for topic, _ in places}
        for partition, (begin, _) in bounds_of(stack, topic).items()
    }
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        connection.cursor().executemany(
            f"update {worker.removesuffix('-worker')}.consumer_offset set next_offset = %s"
            " where consumer = %s and topic = %s and partition = %s".encode(),
            [(begins[place], worker, *place) for place in places],
        )


def positions(stack: RunningStack, worker: str) -> Positions:
    """Return by topic and partition which offset a worker takes next."""
    with psycopg.connect(stack.database_url(worker.removesuffix("-worker"))) as connection:
        rows = connection.execute(
            "select topic, partition, next_offset from consumer_offset where consumer = %s",
            [worker],
        ).fetchall()
    return {(topic, partition): offset for topic, partition, offset in rows}


def are_past(found: Positions, ends: Positions) -> bool:
    return all(found[place] >= offset for place, offset in ends.items())


def skip_what_has_no_id(stack: RunningStack, worker: str) -> None:
    """Skip anew what tests have sent without an id, which no inbox can tell to be delivered again."""
    chosen = (
        "--consumer",
        worker,
        "--reason",
        "malformed",
        "--yes",
        "--why",
        "redelivered by a test",
    )
    stack.cli("parked", "skip", *chosen, check=False)
