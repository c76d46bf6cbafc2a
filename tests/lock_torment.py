"""Sagas that meet on a few targets, under everything that may happen: crashes, repetitions, failures, expiry."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg.errors import SerializationFailure

from cdc.due import RetryPolicy
from consumers.testing.fault_plan import FaultPlan, Point, ProcessDied, breaking
from consumers.testing.log import Log
from consumers.testing.records import NewRecord
from consumers.testing.worker import Worker
from tests.again import show
from tests.rig import PAUSE_S, Rig
from tests.runtime_contract.locking import expiring, locking

PARTITIONS = 3
TARGETS = ("x", "y")
SAGAS = "abcdef"
MOST_TURNS = 120
MOST_RUNS = 20
RETRIES = RetryPolicy(attempts=1000, first_pause_s=PAUSE_S, factor=1.0)
PATIENCE = timedelta(seconds=30)
FAULTS: Mapping[Point, Sequence[Callable[[], BaseException]]] = {
    "take": [partial(psycopg.OperationalError, "the connection is lost"), ProcessDied],
    "before_commit": [partial(SerializationFailure, "a conflict"), ProcessDied],
    "after_commit": [partial(psycopg.OperationalError, "the answer is lost"), ProcessDied],
}


def play_until_shown(
    run: Callable[[int], Coroutine[Any, Any, Counter[str]]],
    chance: random.Random,
    *kinds: str,
    least: int,
) -> None:
    """Play runs, each with a seed, until each kind of event has happened in one of them.

    Raises:
        NothingShownError: one of the kinds never happened.
    """
    happened = Counter[str]()
    for number in range(MOST_RUNS + least):
        if number >= least and all(happened[kind] for kind in kinds):
            return
        seed = chance.randrange(2**32)
        try:
            happened += asyncio.run(run(seed))
        except Exception as error:
            error.add_note(f"to repeat it: seed={seed}")
            raise
    show(False, f"{[kind for kind in kinds if not happened[kind]]} never happened: {happened}")


@dataclass
class Played:
    """A saga as this plays it: some commands that want one target or another, and then the one that ends it.

    Args:
        commands: Labels of its commands with their targets, in their order.
        is_patient: It ends only when all of its commands took effect; else whenever it likes.
        can_expire: Its commands expire.
    """

    commands: list[tuple[str, str]]
    end: str
    is_patient: bool
    can_expire: bool
    sent: list[str] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        return self.end in self.sent


class LockTorment:
    """One run.

    Args:
        rig: Its database is new.
        rng: Chance.
    """

    def __init__(self, rig: Rig, rng: random.Random) -> None:
        self._rig = rig
        self._rng = rng
        self._happened: Counter[str] = Counter()
        self._faults = FaultPlan(rng, FAULTS, most=5)
        self._records: list[NewRecord] = []
        self._sagas = [self._saga(key) for key in SAGAS]
        self._targets = {label: at for saga in self._sagas for label, at in saga.commands}
        rig.log = Log(PARTITIONS)

    async def play(self) -> Counter[str]:
        """Run to the end, and return what happened how often.

        Raises:
            AssertionError: two sagas had one target, a command was lost or came twice, or something is left.
        """
        self._present = await locking(self._rig, retries=RETRIES)
        self._workers = [await self._worker(), await self._worker()]
        for _ in range(MOST_TURNS):
            await self._turn()
            if all(saga.has_ended for saga in self._sagas) and self._rng.random() < 0.2:
                break
        await self._end_in_peace()
        self._require(await self._rig.effects())
        self._happened["faults"] = self._faults.happened
        return self._happened

    def _saga(self, key: str) -> Played:
        rng = self._rng
        commands = [(f"{key}{n}", rng.choice(TARGETS)) for n in range(rng.randint(1, 3))]
        return Played(commands, f"{key}9", rng.random() < 0.6, rng.random() < 0.3)

    async def _worker(self, *, in_peace: bool = False) -> Worker:
        store, window = await self._rig.world.database.open(self._rig.consumer)
        faults = FaultPlan(self._rng) if in_peace else self._faults
        broken = breaking(store, faults, self._rng)
        return Worker(self._rig.consumer, broken, self._rig.outbox, window)

    async def _turn(self) -> None:
        rng = self._rng
        match rng.choices(("send", "end", "again", "work", "time"), (4, 3, 1, 6, 1))[0]:
            case "send":
                await self._send(rng.choice(self._sagas))
            case "end":
                await self._end(rng.choice(self._sagas))
            case "again" if self._records:
                self._happened["delivered again"] += 1
                self._rig.publish([rng.choice(self._records)])
            case "work" if self._records:
                self._rig.fails = self._failing()
                await asyncio.gather(*(self._work(n) for n in range(len(self._workers))))
            case "time":
                self._present.now += timedelta(seconds=rng.choice([1, 10]))

    async def _send(self, saga: Played) -> None:
        left = [label for label, _ in saga.commands if label not in saga.sent]
        if saga.has_ended or not left:
            return
        record = self._rig.placed(left[0], self._targets[left[0]])
        if saga.can_expire:
            record = expiring(record, self._present.now + PATIENCE)
        self._publish(saga, left[0], record)

    async def _end(self, saga: Played) -> None:
        effects = set(await self._rig.effects())
        is_through = all(label in effects for label, _ in saga.commands)
        if not saga.has_ended and (is_through or not saga.is_patient):
            self._publish(saga, saga.end, self._rig.cancelled(saga.end))

    def _publish(self, saga: Played, label: str, record: NewRecord) -> None:
        saga.sent.append(label)
        self._records.append(record)
        self._rig.publish([record])

    def _failing(self) -> dict[str, Callable[[], BaseException]]:
        labels = [label for label in self._targets if self._rng.random() < 0.05]
        broken: Callable[[], BaseException] = ZeroDivisionError
        return dict.fromkeys(labels, broken)

    async def _work(self, number: int) -> None:
        """Have one worker do a little; another one takes its place when it dies."""
        worker = self._workers[number]
        try:
            match self._rng.choice(("step", "step", "stash", "retry")):
                case "step":
                    place = self._rng.choice(list(self._rig.log.places))
                    await worker.step(self._rig.log, place, self._rng.randint(1, 5))
                case "stash":
                    self._happened["taken out of the stash"] += await worker.work_on_stash()
                case "retry":
                    await self._rig.world.database.pass_time(PAUSE_S)
                    self._happened["tried again"] += await worker.retry()
        except ProcessDied:
            self._happened["died"] += 1
            self._workers[number] = await self._worker()

    async def _end_in_peace(self) -> None:
        """Let all sagas end, with a worker that nothing disturbs."""
        self._rig.fails = {}
        worker = await self._worker(in_peace=True)
        while not all(saga.has_ended for saga in self._sagas):
            for saga in self._sagas:
                await self._send(saga)
            await worker.catch_up(self._rig.log, self._rng)
            await worker.settle(self._rig.world.database)
            for saga in self._sagas:
                await self._end(saga)
            await self._lose_patience(await self._rig.effects())
        await worker.catch_up(self._rig.log, self._rng)
        await worker.settle(self._rig.world.database)

    async def _lose_patience(self, effects: list[str]) -> None:
        """Have a saga give up that has nothing to hope for: its command has expired, or sagas wait in a circle."""
        if any(saga.has_ended and saga.end not in effects for saga in self._sagas):
            return
        held = self._held(effects)
        stuck = [saga for saga in self._sagas if not saga.has_ended]
        hopeless = []
        for saga in stuck:
            missing = next((label for label, _ in saga.commands if label not in effects), None)
            if missing is None or missing not in saga.sent:
                return
            if saga.can_expire or held.get(self._targets[missing], saga) is not saga:
                hopeless.append(saga)
        if stuck:
            assert hopeless, f"what they wait for is free, and nothing happens: {effects}"
            self._happened["lost patience"] += 1
            hopeless[0].is_patient = False

    def _held(self, effects: list[str]) -> dict[str, Played]:
        """Return who has which target."""
        held: dict[str, Played] = {}
        for label in effects:
            saga = next(each for each in self._sagas if each.end[0] == label[0])
            if label == saga.end:
                held = {target: other for target, other in held.items() if other is not saga}
                continue
            target = self._targets[label]
            assert held.setdefault(target, saga) is saga, f"{label} has no {target}: {effects}"
        return held

    def _require(self, effects: list[str]) -> None:
        assert len(set(effects)) == len(effects), f"twice: {effects}"
        assert not self._held(effects), "all have ended, and something is held"
        for saga in self._sagas:
            took = [label for label in effects if label[0] == saga.end[0]]
            assert took[-1] == saga.end, f"nothing comes after the end: {effects}"
            assert took == sorted(took), f"out of order: {effects}"
            lost = [label for label in saga.sent if label not in took]
            assert not lost or not saga.is_patient, f"{lost} are lost: {effects}"
            self._happened["dropped"] += len(lost)
        self._happened["took effect"] += len(effects)
