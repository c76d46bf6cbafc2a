"""Whatever happens to messages and in whichever order, effects of a key are its messages in their order, each once."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from consumers.runtime.failures import PoisonError, TransientError
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import NewRecord
from tests.examples import times
from tests.rig import ATTEMPTS, PAUSE_S, PLACE, Rig, in_memory

KEYS = "abc"
FAILURES = {
    "the handler fails": ZeroDivisionError,
    "the handler gives up": PoisonError,
    "a third party is out of reach": TransientError,
    "the database is in trouble": psycopg.OperationalError,
}

T = TypeVar("T")


class ProcessDiedError(BaseException):
    """The process is gone."""


class Delivery(RuleBasedStateMachine):
    """A consumer whose worker dies, whose handlers fail, and whose messages come again."""

    sent = Bundle("sent")

    @initialize()
    def begin(self) -> None:
        logging.disable()
        self.loop = asyncio.Runner()
        self.now = 0.0
        self.number = 0
        self.order: dict[str, list[str]] = {key: [] for key in KEYS}
        self.doomed: set[str] = set()
        self.rig = Rig(in_memory(MemoryDatabase([], clock=lambda: self.now)))
        self.run(self.rig.start())
        self.run(self.rig.store.begin(PLACE, 0))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @rule(
        target=sent,
        keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=6),
        in_bulk=st.lists(st.booleans(), min_size=6, max_size=6),
        how_the_first_fails=st.none() | st.sampled_from([*FAILURES]),
        twice=st.booleans(),
    )
    def send(
        self, *, keys: list[str], in_bulk: list[bool], how_the_first_fails: str | None, twice: bool
    ) -> Any:
        """New messages are sent, to be handled one by one or in bulk."""
        records = []
        for key, bulk in zip(keys, in_bulk, strict=False):
            self.number += 1
            label = f"{key}{self.number}"
            records.append(self.rig.confirmed(label) if bulk else self.rig.placed(label))
            self.order[key].append(label)
        if how_the_first_fails is not None:
            self.make_fail(records[0], how_the_first_fails)
        self.rig.publish(records + records * twice)
        return multiple(*records)

    @rule(record=sent)
    def send_again(self, record: NewRecord) -> None:
        """A message is sent again under its id."""
        self.rig.publish([record])

    @rule(record=sent, how=st.sampled_from([*FAILURES]))
    def make_fail_later(self, record: NewRecord, how: str) -> None:
        """A message fails from now on."""
        self.make_fail(record, how)

    def make_fail(self, record: NewRecord, how: str) -> None:
        label = self.rig.label_of_record(record)
        self.rig.fails[label] = FAILURES[how]

    @rule()
    def mend(self) -> None:
        """Handlers are mended; what is a dead letter by now stays one."""
        self.rig.fails.clear()

    @rule(limit=st.integers(1, 10))
    def take(self, limit: int) -> None:
        """A worker takes a batch."""
        self.attempt(self.rig.worker.step(self.rig.log, PLACE, limit))

    @rule(limit=st.integers(1, 10), label=st.integers(0, 30))
    def die(self, limit: int, label: int) -> None:
        """The process dies in a handler, if the handler is called; another one is started."""
        labels = [label for labels in self.order.values() for label in labels]
        if not labels:
            return
        victim = labels[label % len(labels)]
        fails, self.rig.fails = self.rig.fails, {**self.rig.fails, victim: ProcessDiedError}
        with suppress(ProcessDiedError):
            self.attempt(self.rig.worker.step(self.rig.log, PLACE, limit))
        self.rig.fails = fails
        self.run(self.rig.start())

    @rule(limit=st.integers(1, 10))
    def lose_the_partition(self, limit: int) -> None:
        """Another worker takes a batch; this one does not know."""
        if PLACE not in self.rig.worker.positions:
            self.run(self.rig.worker.step(self.rig.log, PLACE, 0))
        held = self.rig.worker
        self.run(self.rig.start())
        self.attempt(self.rig.worker.step(self.rig.log, PLACE, limit))
        self.rig.worker = held

    @rule()
    def rewind(self) -> None:
        """Everything is delivered from the beginning."""
        position = self.run(self.rig.store.position(PLACE))
        if position:
            self.run(self.rig.store.move(PLACE, position, 0))

    @rule(seconds=st.sampled_from([0.0, PAUSE_S / 2, PAUSE_S]))
    def retry(self, seconds: float) -> None:
        """Time passes, and parked messages are tried again."""
        self.now += seconds
        self.attempt(self.rig.worker.retry())

    def attempt(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that the database may be in the way of."""
        with suppress(psycopg.OperationalError):
            self.run(work)

    @invariant()
    def effects_of_a_key_are_a_beginning_of_its_messages(self) -> None:
        for key, effects in self.effects().items():
            assert effects == self.order[key][: len(effects)]

    @invariant()
    def what_was_sent_belongs_to_effects(self) -> None:
        sent = self.run(self.rig.sent())
        assert len(sent) == len(set(sent))
        assert set(sent) <= {label for labels in self.effects().values() for label in labels}

    @invariant()
    def a_dead_letter_is_told_of_once(self) -> None:
        dead = self.run(self.rig.dead())
        assert len(dead) == len(set(dead))

    def effects(self) -> dict[str, list[str]]:
        kept = self.run(self.rig.effects())
        return {key: [label for label in kept if label[0] == key] for key in KEYS}

    def teardown(self) -> None:
        """In the end every message has taken effect, up to the first dead letter of its key."""
        try:
            self.come_to_an_end()
        finally:
            self.loop.close()
            logging.disable(logging.NOTSET)

    def come_to_an_end(self) -> None:
        self.rig.fails.clear()
        self.run(
            self.rig.start()
        )  # a worker that stands at the end does not see that it was put back
        self.run(self.rig.worker.catch_up(self.rig.log))
        for _ in range(ATTEMPTS + 1):
            self.now += PAUSE_S
            self.run(self.rig.worker.retry())
        assert self.run(self.rig.store.position(PLACE)) == self.rig.log.end(PLACE)
        dead = set(self.run(self.rig.dead()))
        parked = {label for label, _ in self.run(self.rig.parked())}
        for key, effects in self.effects().items():
            order = self.order[key]
            first_dead = next((n for n, label in enumerate(order) if label in dead), len(order))
            assert effects == order[:first_dead]
            assert parked >= set(order[first_dead:])
        assert parked == {label for labels in self.order.values() for label in labels} - {
            label for labels in self.effects().values() for label in labels
        }


TestDelivery = Delivery.TestCase
TestDelivery.settings = times(1, stateful_step_count=30)
