"""The unit of work: what is sent in it names its cause, and the declared messages are all that can be sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from cdc import outbox
from cdc.context import MessageContext
from cdc.ids import new_id
from cdc.work import RequestWork
from consumers.runtime import consumer, intake
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles, handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork, Work
from consumers.testing import records
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import NewRecord, deliver
from consumers.testing.scenario import Scenario
from schemas.catalogue import Catalogue, catalogue
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


def a_world_with_commands() -> Catalogue:
    """Return a catalogue in which the canary also takes commands, and is told what came of its own."""
    declared = catalogue()
    home = declared.topics["canary.events"]
    others = [
        replace(home, name="canary.commands", kind="commands", consumers={}),
        replace(home, name="asker.replies", kind="replies", owner="asker", consumers={}),
    ]
    return replace(declared, topics={**declared.topics, **{each.name: each for each in others}})


@pytest.fixture
def with_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (outbox, intake, records, consumer):
        monkeypatch.setattr(module, "catalogue", a_world_with_commands)


@handles(CanaryEmitted)
async def ask_and_answer(sign: CanaryEmitted, work: Work) -> None:
    await work.send(
        sign,
        key="k",
        to="canary.commands",
        reply_to="asker.replies",
        expires_at=NOW + timedelta(days=1),
        not_before=NOW,
    )
    await work.reply_if_wanted(sign)


@pytest.mark.usefixtures("with_commands")
def test_a_command_says_where_to_reply_and_until_when() -> None:
    asked = deliver(canary(), key="q", to="canary.events", reply_to="asker.replies")
    played = play(declared(ask_and_answer, topics=["canary.events"]), asked)
    [delayed] = played.delayed
    assert (delayed.topic, delayed.reply_to) == ("canary.commands", "asker.replies")
    assert (delayed.expires_at, delayed.not_before) == (NOW + timedelta(days=1), NOW)
    [reply] = played.outbox
    assert (reply.topic, reply.key, reply.reply_to) == ("asker.replies", "q", None)
    assert str(reply.context.causation_id) == (dict(asked.headers)["ce_id"] or b"").decode()


@pytest.mark.usefixtures("with_commands")
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "has to be told which with `to`"),
        ({"to": "order.events"}, "not on order.events"),
        ({"to": "canary.commands", "reply_to": "canary.events"}, "no topic of replies"),
        ({"to": "canary.commands", "expires_at": datetime(2026, 1, 1)}, "has no time zone"),  # noqa: DTZ001
        ({"to": "canary.commands", "expires_at": NOW, "not_before": NOW}, "before it is sent"),
    ],
)
def test_what_leads_nowhere_is_refused(options: dict[str, Any], problem: str) -> None:
    @handles(CanaryEmitted)
    async def wrong(sign: CanaryEmitted, work: Work) -> None:
        await work.send(sign, key="k", **options)

    played = play(declared(wrong, topics=["canary.events"]), deliver(canary(), to="canary.events"))
    assert problem in played.parked[0].error


def test_who_was_not_asked_has_nobody_to_reply_to() -> None:
    @handles(CanaryEmitted)
    async def reply(sign: CanaryEmitted, work: Work) -> None:
        await work.reply(sign)

    assert "names no topic to reply to" in play(declared(reply), deliver(canary())).parked[0].error


def test_a_delayed_message_is_sent_once_its_time_has_come() -> None:
    @handles(CanaryEmitted)
    async def remind(sign: CanaryEmitted, work: Work) -> None:
        await work.send(sign, key="soon", not_before=work.now() + timedelta(minutes=1))
        later = await work.send(sign, key="later", not_before=work.now() + timedelta(hours=1))
        if sign.canary_id == UUID(int=2):
            assert await work.withdraw(later)

    async def run() -> None:
        database: MemoryDatabase[list[int]] = MemoryDatabase([])
        scenario = Scenario(declared(remind), database)
        await scenario.when(deliver(canary()), deliver(canary(2)))
        assert [each.key for each in scenario.delayed] == ["soon", "soon", "later"]
        assert scenario.sent == []
        await scenario.after(seconds=61)
        assert [each.key for each in scenario.outbox] == ["soon", "soon"]
        await scenario.settle()
        assert [each.key for each in scenario.delayed] == ["later"]

    asyncio.run(run())
