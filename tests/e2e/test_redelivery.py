"""Whole topics delivered again change no effect."""

import psycopg
import pytest

from infra.local.probe import wait_until
from infra.services import WORKERS
from schemas.catalogue import catalogue
from tests.kafka import records_of
from tests.orders import duplicates, effects, place, projection, wait_until_decided
from tests.stack import RunningStack

READERS = [
    (worker.name, topic.name)
    for worker in WORKERS
    for topic in catalogue().topics.values()
    if worker.name in topic.consumers
]


@pytest.mark.parametrize(("worker", "topic"), READERS)
def test_redelivering_a_whole_topic_changes_no_effect(
    stack: RunningStack, worker: str, topic: str
) -> None:
    handled = catalogue().topics[topic].consumers[worker]
    ids = [place(stack, customer_id=name)["order_id"] for name in ("ada", "declined-bob", "cleo")]
    wait_until_decided(stack, ids)
    dropped, found, counted = duplicates(stack), effects(stack, ids), projection(stack)
    records = sum(
        record.headers["ce_type"] in handled
        for message_id, copies in records_of(stack, topic).items()
        for record in copies
        if message_id  # what a test has sent without one is a dead letter, not a duplicate
    )
    stack.stop(worker)
    rewind(stack, worker)
    stack.start(worker)
    wait_until(
        f"{worker} has not gone through {records} records again",
        lambda: duplicates(stack) - dropped >= records,
        timeout_s=60,
    )
    assert duplicates(stack) - dropped == records
    assert effects(stack, ids) == found
    assert projection(stack) == counted
    skip_what_has_no_id(stack, worker)


def rewind(stack: RunningStack, worker: str) -> None:
    """Put a worker that is not running back to the beginning of its topics."""
    schema = worker.removesuffix("-worker")
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        rewound = connection.execute(
            f"update {schema}.consumer_offset set next_offset = 0 where consumer = %s".encode(),
            [worker],
        )
        assert rewound.rowcount


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
