"""The way of a message as spans: waits, handling, batches, what is parked and tried again."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from cdc.context import TRACE_CONTEXT, is_sampled, next_traceparent
from cdc.due import RetryPolicy
from cdc.ids import new_id
from cdc.tracing.spans import ROUNDING_NS, derived_id, ns_of, span_id_of
from consumers.runtime.consumer import Consumer
from consumers.runtime.failures import PoisonError
from consumers.runtime.handlers import handles, handles_in_bulk
from consumers.runtime.middleware import TimeLimit
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import NewRecord, deliver
from consumers.testing.scenario import Scenario
from schemas.messages.canary import CanaryEmitted
from tests.tracing import recorded

State = dict[str, int]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
FAILING = 13


def canary(number: int, **headers: Any) -> NewRecord:
    sign = CanaryEmitted(canary_id=UUID(int=number), emitted_at=NOW)
    record = deliver(sign, message_id=new_id())
    return replace(record, headers=record.headers_with(**headers)) if headers else record


def header(record: NewRecord, name: str) -> str:
    return (dict(record.headers)[name] or b"").decode()


def play(*records: NewRecord, in_bulk: bool = False, settle: bool = False) -> Sequence[str | None]:
    """Have canaries answered by others, and return what those carry; 13 fails the first time that it is tried."""
    database: MemoryDatabase[State] = MemoryDatabase({})
    tried: list[int] = []
    carried: list[str | None] = []

    async def one(sign: CanaryEmitted, work: Work) -> None:
        number = sign.canary_id.int
        tried.append(number)
        # the first time it is tried twice: the batch is taken apart
        if number == FAILING and tried.count(number) <= 2:
            raise ValueError("thirteen")
        await work.send(sign, key=work.delivery.key)
        carried.append(work.context.traceparent)

    @handles(CanaryEmitted)
    async def alone(sign: CanaryEmitted, work: Work) -> None:
        await one(sign, work)

    @handles_in_bulk(CanaryEmitted)
    async def together(received: Sequence[Received[CanaryEmitted]], work: BulkWork) -> None:
        for each in received:
            await one(each.message, work.caused_by(each))

    consumer = Consumer(
        name="noting",
        handlers=[together if in_bulk else alone],
        sends=[CanaryEmitted],
        retries=RetryPolicy(attempts=3, first_pause_s=1),
    )

    async def run() -> None:
        scenario = Scenario(consumer, database)
        await scenario.when(*records)
        if settle:
            await scenario.settle()

    asyncio.run(run())
    return carried


def test_a_message_waits_in_outbox_and_topic_and_is_handled_and_what_it_sends_goes_on() -> None:
    with recorded() as spans:
        record = canary(1)
        carried = play(record)
    outbox, topic, process = spans.one("outbox"), spans.one("topic"), spans.one("process")
    creation = span_id_of(header(record, "traceparent"))
    assert [each.parent for each in (outbox, topic, process)] == [
        creation,
        span_id_of(outbox.traceparent),
        span_id_of(topic.traceparent),
    ]
    written = ns_of(datetime.fromisoformat(header(record, "ce_time")))
    assert abs(outbox.begin_ns - written) <= ROUNDING_NS
    assert (outbox.end_ns, topic.end_ns) == (topic.begin_ns, process.begin_ns)
    assert (outbox.service, topic.service) == ("canary", "tested")
    assert [event.name for event in process.events] == ["handler called", "handler done"]
    assert process.attributes["messaging.message.conversation_id"] == header(
        record, "correlation_id"
    )
    assert process.attributes["messaging.consumer.group.name"] == "noting"
    assert carried == [process.traceparent]


def test_a_message_whose_trace_is_not_recorded_leaves_no_span_and_carries_that_on() -> None:
    with recorded() as spans:
        trace = next_traceparent(None)
        play(canary(1, traceparent=f"{trace[:-2]}00"))
    assert spans == []


@pytest.mark.parametrize("traceparent", [None, "rubbish", b"\xff-01", "ff-1-1-01"])
def test_what_comes_without_a_trace_is_not_recorded(traceparent: str | bytes | None) -> None:
    with recorded() as spans:
        play(canary(1, traceparent=traceparent))
    assert spans == []


@pytest.mark.parametrize("in_bulk", [False, True])
def test_of_a_batch_each_message_goes_on_in_its_own_trace_linked_with_that_of_the_batch(
    in_bulk: bool,  # noqa: FBT001 - as listed above
) -> None:
    with recorded() as spans:
        unrecorded = f"{next_traceparent(None)[:-2]}00"
        play(canary(1), canary(2), canary(3, traceparent=unrecorded), in_bulk=in_bulk)
    batch, *handled = sorted(spans.named("process"), key=lambda span: span.name != "process batch")
    assert batch.attributes["messaging.batch.message_count"] == 3
    assert sorted(batch.links) == sorted(each.traceparent for each in handled)
    assert [each.links for each in handled] == [(batch.traceparent,)] * 2
    assert len({each.traceparent[3:35] for each in (batch, *handled)}) == 3


def test_a_redelivery_makes_no_second_span() -> None:
    with recorded() as spans:
        record = canary(1)
        play(record, record)
    assert len(spans.named("process")) == len(spans.named("outbox")) == 1


def test_several_consumers_record_the_wait_in_the_outbox_as_the_same_span() -> None:
    with recorded() as spans:
        record = canary(1)
        play(record)
        play(record)
    first, second = spans.named("outbox")
    assert (first.traceparent, first.parent, first.service, first.attributes) == (
        second.traceparent,
        second.parent,
        second.service,
        second.attributes,
    )


def test_clocks_that_differ_make_waits_of_nothing_which_are_counted() -> None:
    with recorded() as spans:
        ahead = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
        play(canary(1, ce_time=ahead))
        clamped = spans.recorder.counts.clamped
    outbox, topic = spans.one("outbox"), spans.one("topic")
    assert outbox.begin_ns == outbox.end_ns == topic.begin_ns <= topic.end_ns
    assert clamped == 1
    assert float(outbox.attributes["tailrace.clock_skew_ms"]) > 200_000


def test_what_was_published_again_waited_in_no_outbox() -> None:
    with recorded() as spans:
        record = canary(1, replayed_from="log:7")
        play(record)
    assert spans.named("outbox") == []
    assert spans.one("topic").parent == span_id_of(header(record, "traceparent"))


def test_a_message_that_fails_is_recorded_with_each_attempt_and_its_wait_between_them() -> None:
    with recorded() as spans:
        record = canary(FAILING)
        play(record, settle=True)
    first, second = sorted(spans.named("process"), key=lambda span: span.begin_ns)
    assert (first.error, second.error) == ("builtins.ValueError", "")
    assert [event.name for event in first.events] == ["handler called", "handler failed"] * 2
    assert second.attributes["tailrace.attempt"] == 2
    parked = spans.one("parked")
    assert parked.parent == derived_id(UUID(header(record, "ce_id")), "noting")
    assert second.parent == span_id_of(parked.traceparent)


def test_a_call_that_takes_too_long_is_recorded_as_failed() -> None:
    @handles(CanaryEmitted)
    async def wait(_: CanaryEmitted, __: Work) -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        database: MemoryDatabase[list[int]] = MemoryDatabase([])
        consumer = Consumer(name="waiting", handlers=[wait], middleware=[TimeLimit(0.01)])
        await Scenario(consumer, database).when(canary(7))

    with recorded() as spans:
        asyncio.run(run())
    called, ended, *_ = spans.one("process").events
    assert (called.name, ended.name) == ("handler called", "handler failed")


def test_a_trace_is_whole_whatever_fails() -> None:
    with recorded() as spans:
        play(*(canary(number) for number in (1, FAILING, 2, 3)), settle=True)
        known = {span_id_of(each.traceparent) for each in spans}
    beginnings = [each for each in spans if each.parent not in known]
    assert {each.name.partition(" ")[0] for each in beginnings} == {"outbox", "process"}
    assert [each.name for each in beginnings if each.name.startswith("process")] == [
        "process batch"
    ]


def test_what_has_no_correlation_takes_effect_and_is_recorded_all_the_same() -> None:
    database: MemoryDatabase[list[int]] = MemoryDatabase([])

    @handles(CanaryEmitted)
    async def note(sign: CanaryEmitted, work: Work) -> None:
        database.value(work).append(sign.canary_id.int)

    async def run() -> None:
        scenario = Scenario(Consumer(name="noting", handlers=[note]), database)
        await scenario.when(canary(7, correlation_id=None))
        assert scenario.state == [7]

    with recorded() as spans:
        asyncio.run(run())
    assert len(spans.named("process")) == 1


@pytest.mark.parametrize("traceparent", ["\0", "rubbish", None])
def test_a_dead_letter_of_what_has_no_trace_begins_one_that_nobody_records(
    traceparent: str | None,
) -> None:
    told: list[str | None] = []

    @handles(CanaryEmitted)
    async def refuse(sign: CanaryEmitted, work: Work) -> None:
        raise PoisonError("no")

    async def run() -> None:
        database: MemoryDatabase[list[int]] = MemoryDatabase([])
        scenario = Scenario(Consumer(name="refusing", handlers=[refuse]), database)
        await scenario.when(canary(7, traceparent=traceparent))
        seen = await database.look("refusing")
        told.extend(each.context.traceparent for each in seen.sent)

    with recorded() as spans:
        asyncio.run(run())
    [carried] = told
    assert TRACE_CONTEXT.fullmatch(carried or "")
    assert not is_sampled(carried)
    assert spans == []
