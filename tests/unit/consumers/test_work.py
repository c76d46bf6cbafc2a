"""The unit of work: what is sent in it names its cause, and the declared messages are all that can be sent."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.work import RequestWork
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles, handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import NewRecord, deliver
from consumers.testing.scenario import Scenario
from schemas.messages.canary import CanaryEmitted
from schemas.messages.orders import OrderCancelled

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MANY = [UUID(int=number) for number in range(1, 4)]


def canary(number: int = 1) -> CanaryEmitted:
    return CanaryEmitted(canary_id=UUID(int=number), emitted_at=NOW)


@handles(CanaryEmitted)
async def tell_twice(sign: CanaryEmitted, work: Work) -> None:
    event = CanaryEmitted(canary_id=sign.canary_id, emitted_at=work.now())
    await work.append([event, event], aggregate_id="a", after_version=0)
    await work.send(sign, key="b")


@handles_in_bulk(CanaryEmitted)
async def tell_of_each(received: Sequence[Received[CanaryEmitted]], work: BulkWork) -> None:
    for each in received:
        await work.caused_by(each).send(each.message, key=each.delivery.key)


def play(consumer: Consumer, *records: NewRecord) -> Scenario[list[int]]:
    database: MemoryDatabase[list[int]] = MemoryDatabase([])

    async def run() -> Scenario[list[int]]:
        scenario = Scenario(consumer, database)
        await scenario.when(*records)
        return scenario

    return asyncio.run(run())


def declared(handler: object, **options: object) -> Consumer:
    usual = {"name": "telling", "handlers": [handler], "sends": [CanaryEmitted]}
    return Consumer(**usual | options)  # type: ignore[arg-type]  # of many types


def test_all_that_is_sent_for_a_message_names_it_in_one_span_of_its_trace() -> None:
    record = deliver(canary(), correlation_id=new_id())
    headers = {name: (value or b"").decode() for name, value in record.headers}
    sent = play(declared(tell_twice), record).outbox
    assert [(each.key, each.version) for each in sent] == [("a", 1), ("a", 2), ("b", None)]
    [context] = {each.context for each in sent}
    assert str(context.causation_id) == headers["ce_id"]
    assert str(context.correlation_id) == headers["correlation_id"]
    _, trace, span, _ = (context.traceparent or "").split("-")
    _, trace_of_sender, span_of_sender, _ = headers["traceparent"].split("-")
    assert trace == trace_of_sender
    assert span != span_of_sender


def test_in_bulk_each_message_is_the_cause_of_its_own() -> None:
    records = [deliver(canary(each.int), message_id=new_id()) for each in MANY]
    sent = play(declared(tell_of_each), *records).outbox
    ids = [(dict(record.headers)["ce_id"] or b"").decode() for record in records]
    assert [str(each.context.causation_id) for each in sent] == ids


def test_the_present_is_told_by_the_consumers_clock() -> None:
    scenario = play(declared(tell_twice, clock=lambda: NOW), deliver(canary()))
    scenario.then_sent(canary(), canary(), canary())


def test_what_is_not_declared_cannot_be_sent() -> None:
    scenario = play(declared(tell_twice, sends=[OrderCancelled]), deliver(canary(), key="k"))
    scenario.then_parked(("k", "failed"))
    assert "canary.CanaryEmitted is not among the messages" in scenario.parked[0].error


def test_a_request_has_a_correlation_and_no_cause() -> None:
    database: MemoryDatabase[list[int]] = MemoryDatabase([])
    context = MessageContext(correlation_id=new_id())

    async def run() -> None:
        async with database.transaction() as transaction:
            work = RequestWork(transaction, database.outbox(), context)  # type: ignore[arg-type]
            async with work.pipeline():
                await work.send(canary(), key="k")

    asyncio.run(run())
    [sent] = database.committed.sent
    assert sent.context == context
