"""Messages under every fault there is, and whether their effects stay those of one clean delivery."""

import logging
import random
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.runtime.consumer import Consumer
from consumers.testing.comparing import difference, plain
from consumers.testing.database import Database, Observed, Sent, text_of_key
from consumers.testing.fault_run import FaultRun
from consumers.testing.faults import Fault, everything_at_once
from consumers.testing.log import Log
from consumers.testing.records import NewRecord
from schemas.messages.consumers import MessageDeadLettered

NOT_TOLD_APART = frozenset({"malformed", "too_old"})
"""Reasons of records that cannot be told from their own repetitions, each of which is a dead letter."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Torment:
    """What messages went through."""

    seed: int
    # how often each fault came about; 0 where the messages gave no occasion, such as one of a single key to come
    # in another order
    happened: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """What messages are to go through."""

    faults: Collection[Fault]
    rounds: int
    seed: int | None  # where chance begins; it begins anywhere when none is given

    def turns(self) -> dict[str, Fault]:
        return {fault.__name__: fault for fault in self.faults} | {
            f"{everything_at_once.__name__}_{number}": everything_at_once
            for number in range(1, self.rounds + 1)
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared."""

    ignoring: Collection[str] = ()
    # takes the state and returns what is to be compared instead of the whole of it
    effects: Callable[[Any], Any] | None = None

    def of(self, state: Any, sight: Observed, poison: Collection[str]) -> dict[str, Any]:
        shown = state if self.effects is None else self.effects(state)
        told = [
            (_key(message), message.message_id, message.reason.value)
            for each in sight.sent
            if isinstance(message := each.message, MessageDeadLettered)
            and _key(message) not in poison
            and message.reason not in NOT_TOLD_APART
        ]
        return {
            "state": plain(shown, self.ignoring),
            "sent": self._sent(sight.sent),
            "delayed": self._sent(sight.delayed),
            "parked": sorted(
                {
                    (str(each.key), str(each.message_id), each.reason)
                    for each in sight.parked
                    if each.key not in poison
                }
            ),
            "dead letters": sorted(told, key=repr),
        }

    def _sent(self, sent: Sequence[Sent]) -> list[Any]:
        """Return what was sent, in order within each key and without any among keys."""
        by_key: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)
        for each in sent:
            if not isinstance(each.message, MessageDeadLettered):
                by_key[each.topic, each.key].append(each)
        groups = [
            (topic, self._name_of(key, each), [plain(one.message, self.ignoring) for one in each])
            for (topic, key), each in by_key.items()
        ]
        return sorted(groups, key=repr)

    def _name_of(self, key: str, sent: Sequence[Sent]) -> str:
        """Return a key, or the name of the field that it is the value of when that is to be ignored."""
        message = sent[0].message
        return next(
            (name for name in self.ignoring if str(getattr(message, name, None)) == key), key
        )


async def torment(
    consumer: Consumer,
    database: Database[Any],
    *,
    history: Sequence[NewRecord],
    records: Sequence[NewRecord],
    plan: Plan,
    comparison: Comparison,
) -> Torment:
    """Have messages come under every fault, and see that their effects are those of one clean delivery.

    Args:
        database: Where it writes; it begins anew for each fault.

    Raises:
        AssertionError: the effects under a fault differ; it says which fault, how, and with which seed.
    """
    seed = secrets.randbelow(2**32) if plan.seed is None else plan.seed
    log.info("torment of %s with seed=%d", consumer.name, seed)
    expected: Any = None
    happened = {}
    for name, fault in {"nothing": _undisturbed, **plan.turns()}.items():
        passage = FaultRun(consumer, database, records, random.Random(f"{seed}/{name}"))  # noqa: S311 - to be repeated
        try:
            await _pass(passage, history, fault)
            found = comparison.of(
                await database.state(), await database.look(consumer.name), passage.poison
            )
            expected = found if expected is None else expected
            _require_same(expected, found)
            await _require_parked(passage)
        except Exception as error:
            error.add_note(f"under {name.replace('_', ' ')}; to repeat it: seed={seed}")
            raise
        happened[name] = passage.happened
    del happened["nothing"]
    return Torment(seed, happened)


async def _pass(passage: FaultRun, history: Sequence[NewRecord], fault: Fault) -> None:
    """Begin anew, and let a fault have the messages; what it leaves undone is done in peace."""
    await passage.database.reset()
    before = Log()
    for record in history:
        before.append(record)
    worker = await passage.worker()
    await worker.catch_up(before)
    await worker.settle(passage.database)
    await fault(passage)
    worker = await passage.worker()
    await worker.catch_up(passage.log)
    await worker.settle(passage.database)


async def _undisturbed(passage: FaultRun) -> None:
    passage.publish(passage.records)


def _require_same(expected: object, found: object) -> None:
    if expected != found:
        raise AssertionError(
            f"the effects are not those of an undisturbed delivery\n{difference(expected, found)}"
        )


async def _require_parked(passage: FaultRun) -> None:
    """Require that records which a fault made up are dead letters, each told of once."""
    sight = await passage.database.look(passage.consumer.name)
    found = {each.key: each.reason for each in sight.parked if each.is_dead}
    told = [
        key
        for each in sight.sent
        if isinstance(each.message, MessageDeadLettered)
        and (key := _key(each.message)) in passage.poison
    ]
    if passage.poison != {key: found.get(key) for key in passage.poison} or sorted(told) != sorted(
        passage.poison
    ):
        raise AssertionError(
            f"records without sense are not parked as they should\n{difference(passage.poison, found)}"
        )


def _key(message: MessageDeadLettered) -> str:
    return text_of_key(message.key) or ""
