"""Where messages are missing from Kafka, or people have decided about them; on a stack of its own that nobody minds."""

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from cdc.ids import new_id
from consumers.replay.rebuild import SINCE_EVER, Rebuild
from consumers.replay.rebuild_schema import RebuildSchema
from infra.local.probe import wait_until
from infra.replay import find_worker, subject_of
from schemas.messages.orders import OrderConfirmed
from tests.kafka import ends_of
from tests.orders import place, wait_until_decided
from tests.produce import NewRecord, produce
from tests.projections import corrupt, from_the_log, live
from tests.replays import keys, query, refused, replay, sandboxes
from tests.stack import RunningStack, make_directory, own_settings
from tests.workers.scene import text

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def short() -> Iterator[RunningStack]:
    """A stack whose Kafka will lack something."""
    directory = make_directory()
    # no JVM of Connect, and one process of workers: what is replayed does not know the difference
    settings = own_settings(directory / "home", publisher="relay", workers="shared")
    running = RunningStack(settings)
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
    told = replay(short, "--consumer=payments", "--topic=order.events", *keys(list(orders)))
    assert (told["plan"]["source"], told["applied"], told["equal"]) == ("log", 12, True)
    said = short.cli("replay", "--topic=order.events", "--dry-run").stdout
    assert "from the event log (Kafka keeps order.events only from" in said


def test_kafka_can_be_insisted_on(short: RunningStack, orders: Sequence[str]) -> None:
    told = replay(short, "--topic=order.events", "--source=kafka", "--dry-run")
    assert told["messages"] < 2 * len(orders)
    assert "what came before is left out" in told["why"]
    ends = ends_of(short, "order.events")
    fullest = max(ends, key=lambda partition: ends[partition])
    chosen = ["--consumer=payments", "--topic=order.events", "--source=kafka"]
    assert "is none of them" in refused(short, *chosen, f"--from={fullest}:0", code=1)


def test_a_rebuild_takes_the_old_from_the_log_and_the_new_from_kafka(
    short: RunningStack, orders: Sequence[str]
) -> None:
    wait_until_decided(short, [place(short)["order_id"]])
    corrupt(short)
    told = json.loads(short.cli("projections", "rebuild", "analytics", "--json").stdout)
    assert told["messages"] >= 2 * len(orders)
    assert live(short) == from_the_log(short)


def test_a_rebuild_comes_to_what_people_have_decided(short: RunningStack, tmp_path: Path) -> None:
    edited, skipped = park(short, 2)
    replace_value(short, edited, tmp_path)
    short.cli("parked", "skip", skipped, *ANALYTICS, "--why", "settled by hand")
    before = live(short)
    assert before[LONG_AGO, "EUR"] == (0, 1, 0)
    corrupt(short)
    short.cli("projections", "rebuild", "analytics")
    assert live(short) == before


def test_a_message_that_takes_effect_during_a_build_has_it_begin_anew(
    short: RunningStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [parked] = park(short, 1)
    count = live(short).get((LONG_AGO, "EUR"), (0, 0, 0))[1]
    builds = 0
    fill_gaps = RebuildSchema.fill_gaps

    async def and_meanwhile(shadow: RebuildSchema, since: UUID) -> int:
        nonlocal builds
        if since == SINCE_EVER:
            builds += 1
            if builds == 1:
                await asyncio.to_thread(replace_value, short, parked, tmp_path)
        return await fill_gaps(shadow, since)

    monkeypatch.setattr(RebuildSchema, "fill_gaps", and_meanwhile)
    subject = subject_of(short.deployment, find_worker("analytics"))
    asyncio.run(Rebuild(subject, "a-test", lambda *_: None).run())
    assert builds == 2
    assert live(short)[LONG_AGO, "EUR"] == (0, count + 1, 0)
    assert not sandboxes(short)


ANALYTICS = ("--consumer", "analytics-worker")
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


def park(stack: RunningStack, count: int) -> list[str]:
    """Send records that the analytics worker alone takes and cannot decode; return where they lie."""
    records = [
        NewRecord(
            key=str(new_id()),
            value=b"no Avro",
            headers={
                "ce_id": str(new_id()),
                "ce_type": OrderConfirmed.NAME,
                "correlation_id": str(new_id()),
            },
        )
        for _ in range(count)
    ]
    places = produce(stack, "order.events", records)
    ids = [record.message_id for record in records]
    parked = "select count(*) from parked_message where message_id = any (%s)"
    wait_until(
        "the records are not parked",
        lambda: query(stack, "analytics", parked, ids) == [(count,)],
        timeout_s=TIMEOUT_S,
    )
    return [text(each) for each in places]


def replace_value(stack: RunningStack, place: str, directory: Path) -> None:
    """Give a parked record the value that it should have had, and wait until it has its effect."""
    file = directory / "value.json"
    value = {
        "order_id": str(new_id()),
        "payment_id": str(new_id()),
        "currency": "EUR",
        "total": "5.00",
        "confirmed_at": LONG_AGO.isoformat(),
        "customer_id": None,
    }
    file.write_text(json.dumps(value))
    why = ("--why", "as the sender says")
    stack.cli("parked", "edit", place, *ANALYTICS, "--file", str(file), *why)
    # unless it was tried again by itself just now
    stack.cli("parked", "retry", place, *ANALYTICS, *why, check=False)
    wait_until("it is still parked", lambda: place not in parked_places(stack), timeout_s=TIMEOUT_S)


def parked_places(stack: RunningStack) -> set[str]:
    columns = 'select topic, partition, "offset" from parked_message'
    return {"/".join(map(str, row)) for row in query(stack, "analytics", columns)}
