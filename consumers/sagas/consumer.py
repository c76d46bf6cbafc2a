"""Sagas as a consumer: messages of many sagas at once, in the transaction of their batch."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cdc.outbox import Outgoing
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork
from consumers.sagas.definition import Saga
from consumers.sagas.due import ActionWork, DeadlineWork, ForgettingWork
from consumers.sagas.engine import advance, begin
from consumers.sagas.inputs import Cancel, Deadline, Input, Reply, Start
from consumers.sagas.instance import Entry, Instance
from consumers.sagas.outgoing import outgoing
from consumers.sagas.registry import Sagas
from consumers.sagas.run import Decision
from consumers.sagas.store import PostgresSagas, SagaStore
from schemas.messages.sagas import DeadlinePassed

KEEP = timedelta(days=30)


def saga_consumer(
    name: str,
    definitions: Iterable[Saga[Any]],
    *,
    store: SagaStore | None = None,
    keep: timedelta = KEEP,
    **options: Any,
) -> Consumer:
    """Return the consumer that runs sagas.

    Args:
        name: Name of the consumer, also its Kafka consumer group.
        definitions: Sagas, in every version of which one may be under way; the newest is what begins.
        store: Where they are kept; in Postgres when none is given.
        keep: How long those are kept that have ended; longer than what starts one may come again.
        options: What `Consumer` takes besides.

    Raises:
        ValueError: two definitions are one version of one saga.
    """
    sagas = Sagas(definitions)
    kept = store or PostgresSagas(sagas)
    takes = dict.fromkeys(message for saga in sagas for message in saga.takes)
    sends = dict.fromkeys(message for saga in sagas for message in saga.sends)

    @handles_in_bulk(*takes)
    async def follow(received: Sequence[Received[Any]], work: BulkWork) -> None:
        await _follow(sagas, kept, received, work)

    return Consumer(
        name=name,
        handlers=[follow],
        sends=tuple(sends),
        due=(
            partial(DeadlineWork, sagas, kept),
            partial(ActionWork, sagas, kept),
            partial(ForgettingWork, kept, keep),
        ),
        at_start=kept.introduce,
        **options,
    )


async def _follow(
    sagas: Sagas, store: SagaStore, received: Sequence[Received[Any]], work: BulkWork
) -> None:
    batch = _Batch(sagas, await _load(sagas, store, received, work))
    sends: list[Outgoing] = []
    for each in received:
        for decision in batch.follow(each, work.now()):
            if decision.sends:
                context = work.caused_by(each).context
                sends += outgoing(work.outbox, decision.sends, context)
    await store.write(work.connection, batch.changed, batch.entries)
    await work.outbox.send_many(work.connection, sends)


async def _load(
    sagas: Sagas, store: SagaStore, received: Sequence[Received[Any]], work: BulkWork
) -> list[Instance[Any]]:
    """Return the sagas that messages are about.

    What a transaction has sent can be on its way as soon as it is in the write-ahead log, which is before others see
    what it has written. On a busy machine a saga may so be answered before it can be seen that it has begun.
    """
    found = await store.load(work.connection, {each.delivery.key for each in received})
    topics = {saga.replies_to for saga in sagas}
    answered = {each.delivery.key for each in received if each.delivery.topic in topics}
    if unseen := answered - {each.id for each in found}:
        await store.await_begun(work.connection, unseen)
        found += await store.load(work.connection, unseen)
    return found


class _Batch:
    """Sagas in memory, while the messages of a batch are followed one by one."""

    def __init__(self, sagas: Sagas, instances: Sequence[Instance[Any]]) -> None:
        self.entries: list[Entry] = []
        self._sagas = sagas
        self._loaded = {(each.id, each.saga): each for each in instances}
        self._by_id: dict[str, dict[str, Instance[Any]]] = {}
        for each in instances:
            self._by_id.setdefault(each.id, {})[each.saga] = each

    @property
    def changed(self) -> list[Instance[Any]]:
        """Sagas that are not as they were loaded, or were not there."""
        return [
            each
            for by_name in self._by_id.values()
            for each in by_name.values()
            if self._loaded.get((each.id, each.saga)) is not each
        ]

    def follow(self, received: Received[Any], now: datetime) -> list[Decision[Any]]:
        """Have each saga that a message is about go on; those that it starts begin."""
        message, delivery = received.message, received.delivery
        running = {
            name: each
            for name, each in self._by_id.setdefault(delivery.key, {}).items()
            # one that has ended may be of a version that nobody keeps any more: whatever comes is too late for it
            if not each.has_ended or self._sagas.knows(name, each.version)
        }
        advance_by = partial(self._advance, now=now, received=received)
        if isinstance(message, DeadlinePassed):
            about = running.get(message.saga)
            given = Deadline(message.step, message.generation)
            return [advance_by(about, given)] if about else []
        reply = Reply(message, delivery.context.causation_id)
        asked = [each for each in running.values() if each.has_asked(reply.to)]
        if asked:
            return [advance_by(each, reply) for each in asked]
        decisions = []
        for instance in running.values():
            saga = self._sagas.of(instance.saga, instance.version)
            if type(message) in saga.cancellations:
                decisions.append(advance_by(instance, Cancel(message)))
            elif type(message) not in saga.starts and type(message) in saga.takes:
                decisions.append(advance_by(instance, reply))
        start = Start(
            message=message,
            saga_id=delivery.key,
            correlation_id=delivery.context.correlation_id,
        )
        return decisions + self._begin(start, received, now)

    def _begin(self, start: Start, received: Received[Any], now: datetime) -> list[Decision[Any]]:
        running = self._by_id[start.saga_id]
        decisions = [
            begin(saga, start, now, received.delivery.message_id)
            for saga in self._sagas.newest
            if type(start.message) in saga.starts and saga.name not in running
        ]
        return [self._took(decision) for decision in decisions if decision is not None]

    def _advance(
        self, instance: Instance[Any], given: Input, *, received: Received[Any], now: datetime
    ) -> Decision[Any]:
        saga = self._sagas.of(instance.saga, instance.version)
        return self._took(advance(saga, instance, given, now, received.delivery.message_id))

    def _took(self, decision: Decision[Any]) -> Decision[Any]:
        instance = decision.instance
        self._by_id[instance.id][instance.saga] = instance
        self.entries += decision.entries
        return decision
