"""Given, when, then for a consumer: messages come, and what became of them is looked at."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, TypeVar

from consumers.runtime.consumer import Consumer
from consumers.testing.comparing import Tables, Unordered, difference, plain
from consumers.testing.database import Database, Observed, Parked, Sent, text_of_key
from consumers.testing.faults import FAULTS, Fault
from consumers.testing.log import Log
from consumers.testing.records import NewRecord, deliver
from consumers.testing.torment import Comparison, Plan, Torment, torment
from consumers.testing.worker import Worker
from schemas.message import Message
from schemas.messages.consumers import MessageDeadLettered

S = TypeVar("S")

NOTHING = Observed(sent=[], delayed=[], parked=[], applied=0, duplicates=0)


class Scenario(Generic[S]):
    """One consumer, its handlers as they are, on a database of the test's own.

    Messages take the way that they take in a worker: as records with headers and Avro bytes, through the runtime's
    intake, processor and retrier.

    Args:
        consumer: The consumer. Its handlers write to the database, and send through its outbox what they declare.
        database: A `MemoryDatabase`, or a `PostgresDatabase` that was entered.
        partitions: Partitions of each topic; with one, messages come in the order in which they are given.
    """

    def __init__(self, consumer: Consumer, database: Database[S], *, partitions: int = 1) -> None:
        self.consumer = consumer
        self.database = database
        self._partitions = partitions
        self._log = Log(partitions)
        self._worker: Worker | None = None
        self._history: list[NewRecord] = []
        self._state: S | None = None
        self._sight = NOTHING
        self._sent_before = 0

    async def given(self, *messages: Message | NewRecord) -> None:
        """Have messages taken that came before what is tested; what they sent is history.

        Args:
            messages: Messages, or what `deliver` makes of them.
        """
        await self.when(*messages)
        self._history += _records(messages)
        self._sent_before = len(self._sight.sent)

    async def when(self, *messages: Message | NewRecord) -> None:
        """Have messages come, in one batch for each partition.

        Args:
            messages: Messages, or what `deliver` makes of them.

        Raises:
            ValueError: the consumer does not read the topic of a message.
        """
        for record in _records(messages):
            if record.topic not in self.consumer.topics:
                topics = ", ".join(self.consumer.topics)
                raise ValueError(
                    f"{self.consumer.name} reads {topics}, and would not see {record.topic}"
                )
            self._log.append(record)
        worker = await self._at_work()
        await worker.catch_up(self._log)
        await self._look()

    async def after(self, *, seconds: float) -> None:
        """Let time pass: parked messages are tried again that fell due in it, and delayed ones are sent.

        Stash, leases and due work that the consumer brings go by the consumer's clock, and are seen to as far as that
        has come.

        Args:
            seconds: How long.
        """
        worker = await self._at_work()
        await self.database.pass_time(seconds, of_delayed=True)
        await worker.retry()
        await worker.work_on_stash()
        await worker.work_on_due()
        await self._look()

    async def settle(self) -> None:
        """Let so much time pass that every parked message has taken effect, is a dead letter or lies behind one."""
        worker = await self._at_work()
        await worker.settle(self.database)
        await self._look()

    async def torment(
        self,
        *messages: Message | NewRecord,
        seed: int | None = None,
        faults: Collection[Fault] = tuple(FAULTS),
        rounds: int = 3,
        ignoring: Collection[str] = (),
        effects: Callable[[S], Any] | None = None,
    ) -> Torment:
        """Have messages come under every fault there is, and see that their effects are those of one clean delivery.

        For each fault the database begins anew, `given` messages come again, and then these, disturbed. Compared are
        the state, what was sent, and what is parked in the end. Afterwards the scenario stands as if the messages had
        come undisturbed after those given.

        Args:
            messages: Messages, or what `deliver` makes of them; several of a key, and several keys, show most.
            seed: Where chance begins. A test that fails says with which seed it can be repeated; a new one is taken
                when none is given.
            faults: Which ones, of `consumers.testing.faults`.
            rounds: How often all of them come together, besides each alone.
            ignoring: Names of fields and columns whose values are new each time, such as ids and times that the handler
                makes up.
            effects: Takes the state and returns what is to be compared instead of the whole of it.

        Returns:
            The seed, and how often each fault came about.

        Raises:
            AssertionError: the effects under a fault differ; it says which fault, how, and with which seed.
        """
        records, history = _records(messages), self._history
        done = await torment(
            self.consumer,
            self.database,
            history=history,
            records=records,
            plan=Plan(tuple(faults), rounds, seed),
            comparison=Comparison(ignoring, effects),
        )
        await self._begin_anew()
        await self.given(*history)
        await self.when(*records)
        return done

    @property
    def state(self) -> S:
        """What handlers have written: the state in memory, or the rows of each table of the service."""
        if self._state is None:
            raise AssertionError("nothing has come yet: there is no state before given() or when()")
        return self._state

    @property
    def outbox(self) -> list[Sent]:
        """What was sent since the beginning or `given`, with keys, versions and context; dead letters left out."""
        sent = self._sight.sent[self._sent_before :]
        return [each for each in sent if not isinstance(each.message, MessageDeadLettered)]

    @property
    def delayed(self) -> list[Sent]:
        """What is kept back until its time."""
        return self._sight.delayed

    @property
    def sent(self) -> list[Message]:
        """Messages that were sent since the beginning or `given`, dead letters left out."""
        return [each.message for each in self.outbox]

    @property
    def parked(self) -> list[Parked]:
        """Messages that are put aside now, those of a key in their order."""
        return self._sight.parked

    @property
    def dead_letters(self) -> list[MessageDeadLettered]:
        """What was told of messages that no attempt is left for."""
        messages = [each.message for each in self._sight.sent]
        return [message for message in messages if isinstance(message, MessageDeadLettered)]

    @property
    def applied(self) -> int:
        """Messages that came for the first time, parked ones included."""
        return self._sight.applied

    @property
    def duplicates(self) -> int:
        """Deliveries that were dropped because their message had been taken before."""
        return self._sight.duplicates

    def then_sent(self, *expected: Message | type[Message], ignoring: Collection[str] = ()) -> None:
        """Require that these messages, and no others, were sent since the beginning or `given`, in this order.

        Args:
            expected: Messages, or classes where any message of the class will do.
            ignoring: Names of fields to leave out of the comparison.

        Raises:
            AssertionError: others were sent.
        """
        self._require(
            "what was sent",
            [_expected(each, ignoring) for each in expected],
            [
                found.NAME
                if number < len(expected) and isinstance(expected[number], type)
                else plain(found, ignoring)
                for number, found in enumerate(self.sent)
            ],
        )

    def then_state(self, expected: Any, *, ignoring: Collection[str] = ()) -> None:
        """Require a state.

        Args:
            expected: The state in memory; on Postgres, the rows of tables in any order, such as
                `{"payment": [{"order_id": ..., ...}]}`. Tables that are not named are not looked at.
            ignoring: Names of fields, attributes, keys and columns to leave out of the comparison.

        Raises:
            AssertionError: it is another.
        """
        found: Any = self.state
        if isinstance(found, Tables):
            expected = {name: Unordered(rows) for name, rows in expected.items()}
            found = {name: rows for name, rows in found.items() if name in expected}
        self._require("the state", plain(expected, ignoring), plain(found, ignoring))

    def then_parked(self, *expected: tuple[str | None, str]) -> None:
        """Require that these messages, and no others, are parked.

        Args:
            expected: Key and reason of each, such as `("order-1", "failed"), ("order-1", "behind")`, in any order.

        Raises:
            AssertionError: others are parked.
        """
        found = [(parked.key, parked.reason) for parked in self.parked]
        self._require("what is parked", sorted(expected, key=str), sorted(found, key=str))

    def then_dead_letters(self, *expected: tuple[str | None, str]) -> None:
        """Require that these messages, and no others, were told of as dead letters, each once.

        Args:
            expected: Key and reason of each, such as `("order-1", "failed")`, in any order.

        Raises:
            AssertionError: others were, or one was told of twice.
        """
        found = [(text_of_key(dead.key), dead.reason.value) for dead in self.dead_letters]
        self._require("the dead letters", sorted(expected, key=str), sorted(found, key=str))

    def then_duplicates(self, expected: int) -> None:
        """Require a number of deliveries that were dropped because their message had been taken before.

        Raises:
            AssertionError: it is another.
        """
        self._require("the number of duplicates", expected, self.duplicates)

    async def _begin_anew(self) -> None:
        await self.database.reset()
        self._log, self._worker = Log(self._partitions), None
        self._history = []

    async def _at_work(self) -> Worker:
        if self._worker is None:
            store, window = await self.database.open(self.consumer)
            self._worker = Worker(
                self.consumer, store, self.database.outbox(self.consumer.outgoing), window
            )
            await self._look()
            self._sent_before = len(self._sight.sent)
        return self._worker

    async def _look(self) -> None:
        self._state = await self.database.state()
        self._sight = await self.database.look(self.consumer.name)

    def _require(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            raise AssertionError(
                f"{what} is not as expected\n{difference(expected, found)}{self.troubles()}"
            )

    def troubles(self) -> str:
        """Tell what is parked: an error in a handler is the likely cause of effects that are missing."""
        return "".join(
            f"\n\nparked is {parked.type} of key {parked.key}: {parked.error}\n{parked.traceback}".rstrip()
            for parked in self.parked
            if parked.reason != "behind"
        )


def _records(messages: Sequence[Message | NewRecord]) -> list[NewRecord]:
    return [each if isinstance(each, NewRecord) else deliver(each) for each in messages]


def _expected(message: Message | type[Message], ignoring: Collection[str]) -> Any:
    return message.NAME if isinstance(message, type) else plain(message, ignoring)
