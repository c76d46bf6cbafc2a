"""Given, when, then for a saga: messages come, replies are given, time passes, and what it asks for is looked at."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from cdc.work import utc_now
from consumers.sagas.consumer import saga_consumer
from consumers.sagas.definition import Saga
from consumers.sagas.inputs import Act, Verb
from consumers.sagas.instance import Entry, Instance
from consumers.sagas.registry import Sagas
from consumers.sagas.store import PostgresSagas, SagaStore
from consumers.testing.database import Database, Sent
from consumers.testing.memory import MemoryDatabase
from consumers.testing.memory_sagas import MemorySagas, SagaTables
from consumers.testing.records import NewRecord, deliver
from consumers.testing.scenario import Scenario
from schemas.catalogue import catalogue
from schemas.message import Message
from schemas.messages.sagas import DeadlinePassed

S = TypeVar("S")

WHO = "a test"


class SagaScenario(Generic[S]):
    """One saga, run by the consumer that runs it in earnest, with time that passes when the test says so.

    Its deadlines come back to it as they do over Kafka: at the end of what has come before.

    Args:
        saga: The definition.
        database: Where it is kept: in memory when none is given, or a `PostgresDatabase` with the tables of sagas.

    Attributes:
        now: The present.
        scenario: The scenario of the consumer, with all that this one does not show.
    """

    def __init__(self, saga: Saga[S], database: Database[Any] | None = None) -> None:
        self.saga = saga
        self.now = utc_now()
        known = Sagas([saga])
        self._store: SagaStore = MemorySagas(known) if database is None else PostgresSagas(known)
        starts = {catalogue().topic_of(message.NAME).name for message in saga.starts}
        consumer = saga_consumer(
            "saga-scenario",
            [saga],
            store=self._store,
            clock=lambda: self.now,
            topics=sorted(starts | {saga.replies_to}),
        )
        self.scenario: Scenario[Any] = Scenario(
            consumer, MemoryDatabase(SagaTables()) if database is None else database
        )
        self.saga_id = ""
        self._instance: Instance[S] | None = None
        self._sent: list[Sent] = []
        self._passed: list[Sent] = []
        self._shown = 0

    async def when(self, *messages: Message) -> None:
        """Have messages come that start or cancel it; from then on it is about the key of the last."""
        records = [deliver(message) for message in messages]
        self.saga_id = (records[-1].key or b"").decode()
        await self.come(records)

    async def answer(self, *replies: Message, times: int = 1) -> None:
        """Have replies come, each to the last command that it can be a reply to.

        Args:
            replies: What is replied.
            times: How often each comes, under an id of its own each time.

        Raises:
            AssertionError: no such command was sent.
        """
        await self.come([self._reply(reply) for reply in replies for _ in range(times)])

    async def after(
        self, *late: Message | NewRecord, seconds: float, before: Sequence[NewRecord] = ()
    ) -> None:
        """Let time pass, and deadlines with it.

        Args:
            late: Replies that come at once with the deadlines, behind them.
            seconds: How long.
            before: Records that come in the same batch, but before them.
        """
        self.now += timedelta(seconds=seconds)
        behind = [each if isinstance(each, NewRecord) else self._reply(each) for each in late]
        await self.scenario.after(seconds=seconds)
        await self.come([*before, *self._deadlines(), *behind])

    async def act(self, verb: Verb, step: str = "") -> None:
        """Have an operator do something about it."""
        store, _ = await self.scenario.database.open(self.scenario.consumer)
        async with store.transaction() as transaction:
            act = Act(verb, WHO, step)
            await self._store.request(transaction, self.saga.name, self.saga_id, act, "to see")
        await self.scenario.after(seconds=0)
        await self.come([])

    @property
    def log(self) -> Sequence[Entry]:
        """What was noted in memory, oldest first."""
        return [each for each in self.scenario.state.entries if each.saga_id == self.saga_id]

    @property
    def instance(self) -> Instance[S]:
        """How it stands.

        Raises:
            AssertionError: nothing has started it.
        """
        if self._instance is None:
            raise AssertionError(
                f"nothing has started {self.saga.name} for {self.saga_id}{self.scenario.troubles()}"
            )
        return self._instance

    @property
    def state(self) -> S:
        """What it remembers."""
        return self.instance.state

    @property
    def commands(self) -> list[Sent]:
        """All commands that it has sent."""
        return [each for each in self._sent if not isinstance(each.message, DeadlinePassed)]

    def then(self, status: str, *asked: Message | type[Message]) -> None:
        """Require how it stands, and that these commands, and no others, were sent since this was required last.

        Args:
            status: Its status.
            asked: Commands, or classes where any command of the class will do.

        Raises:
            AssertionError: it stands otherwise, or has asked for something else.
        """
        found = [each.message for each in self.commands[self._shown :]]
        self._shown = len(self.commands)
        same = len(found) == len(asked) and all(
            isinstance(one, other) if isinstance(other, type) else one == other
            for one, other in zip(found, asked, strict=True)
        )
        if self.instance.status != status or not same:
            raise AssertionError(
                f"{self.saga.name} {self.saga_id} is {self.instance.status} ({self.instance.reason or 'no reason'}) "
                f"and not {status}, or has asked for {found} and not for {list(asked)}"
                f"{self.scenario.troubles()}"
            )

    async def come(self, records: Sequence[NewRecord]) -> None:
        """Have records come in one batch, and then the deadlines that have passed meanwhile."""
        while True:
            await self.scenario.when(*records)
            self._sent = [each for each in self.scenario.outbox if each.key == self.saga_id]
            records = self._deadlines()
            if not records:
                break
        store, _ = await self.scenario.database.open(self.scenario.consumer)
        async with store.transaction() as transaction:
            found = await self._store.load(transaction, [self.saga_id])
        self._instance = found[0] if found else None

    def _deadlines(self) -> list[NewRecord]:
        """Return the deadlines that were sent and have not come yet."""
        sent = [each for each in self.scenario.outbox if isinstance(each.message, DeadlinePassed)]
        new, self._passed = sent[len(self._passed) :], sent
        return [
            deliver(
                each.message,
                key=each.key,
                message_id=each.message_id,
                correlation_id=each.context.correlation_id,
                causation_id=each.context.causation_id,
                to=each.topic,
            )
            for each in new
        ]

    def reply_to(self, sent: Sent, reply: Message) -> NewRecord:
        """Return the record of a reply to a command."""
        return deliver(
            reply,
            key=sent.key,
            correlation_id=sent.context.correlation_id,
            causation_id=sent.message_id,
            to=self.saga.replies_to,
        )

    def _reply(self, reply: Message) -> NewRecord:
        asks = [ask for ask in self.saga.asks if type(reply) in ask.replies]
        for sent in reversed(self.commands):
            if any(sent.message.NAME == ask.command.NAME for ask in asks):
                return self.reply_to(sent, reply)
        raise AssertionError(f"no command was sent that {type(reply).__name__} could be a reply to")
