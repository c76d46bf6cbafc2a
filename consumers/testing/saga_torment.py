"""A saga under everything that may happen to it, with participants that follow from its definition.

They do what they are asked once, refuse some of it, remember what was undone before it was done, and do not always
answer. What comes out is held against their books: for a saga that was undone nobody holds anything any more.
"""

import random
import secrets
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from consumers.sagas.definition import Ask, Saga
from consumers.testing.database import Sent
from consumers.testing.records import NewRecord
from consumers.testing.sagas import SagaScenario
from consumers.testing.samples import sample_of
from schemas.message import Message

S = TypeVar("S")

MOST_TURNS = 500
FOR_LONG_S = 40 * 24 * 3600.0
"""Longer than a saga is kept that has ended."""


class Participants:
    """Those who carry out the commands of one saga.

    Attributes:
        held: Steps that were done and not undone.
    """

    def __init__(self, saga: Saga[Any], rng: random.Random, make: Callable[[Any], Message]) -> None:
        self.held: set[str] = set()
        self._undone: set[str] = set()
        self._make = make
        self._rng = rng
        self._steps = {
            ask.command.NAME: (step.name, ask, ask is step.undoing)
            for step in saga.by_name.values()
            for ask in step.asks
        }
        self._refused = {name for name in self._steps if rng.random() < 0.1}
        self._mute = {name for name in self._steps if rng.random() < 0.05}

    def take(self, sent: Sent) -> Message | None:
        """Carry a command out and return the reply; None where there is none."""
        found = self._steps.get(sent.message.NAME)
        if found is None:
            return None
        step, ask, undoes = found
        if undoes:
            self.held.discard(step)
            self._undone.add(step)
        elif step in self._undone or (sent.message.NAME in self._refused and ask.refused):
            return self._answer(sent, ask, refused=True)
        else:
            self.held.add(step)
        return self._answer(sent, ask, refused=False)

    def repair(self) -> None:
        """Have them answer from now on, and refuse nothing any more."""
        self._mute.clear()
        self._refused.clear()

    def _answer(self, sent: Sent, ask: Ask[Any], *, refused: bool) -> Message | None:
        kinds = list(ask.refused if refused else ask.ok)
        if sent.message.NAME in self._mute or not kinds:
            return None
        return self._make(self._rng.choice(kinds))


async def torment_saga(
    saga: Saga[Any],
    *messages: Message,
    make: Callable[[Any], Message] = sample_of,
    rounds: int = 30,
    seed: int | None = None,
) -> Counter[str]:
    """Run a saga again and again, each time with other misfortunes, and see that it ends and the books balance.

    Replies come twice, late, at once with their deadline before or behind it, and after the saga was forgotten; undos
    come before what they undo; participants refuse, or stay silent; commands expire. A saga that waits for a human is
    resumed once its participants answer again.

    Args:
        saga: The definition.
        messages: What starts it, and perhaps what cancels it later, of one key.
        make: Makes a reply of a class.
        rounds: How often.
        seed: Where chance begins; it begins anywhere when none is given.

    Returns:
        How often what happened: statuses in the end, and all that was noted.

    Raises:
        AssertionError: it came to no end, a message was parked, or somebody holds what he should not, or the other way
            round; it says with which seed it can be repeated.
    """
    seed = secrets.randbelow(2**32) if seed is None else seed
    happened: Counter[str] = Counter()
    for number in range(rounds):
        turn = _Round(saga, messages, random.Random(f"{seed}/{number}"), make)  # noqa: S311 - to be repeated
        try:
            happened.update(await turn.play())
        except Exception as error:
            error.add_note(f"in round {number}; to repeat it: seed={seed}")
            raise
    return happened


class _Round:
    def __init__(
        self,
        saga: Saga[Any],
        messages: Collection[Message],
        rng: random.Random,
        make: Callable[[Any], Message],
    ) -> None:
        self._saga = SagaScenario(saga)
        self._start, *self._cancellations = messages
        self._rng = rng
        self._participants = Participants(saga, rng, make)
        self._seen = 0
        self._commands: list[Sent] = []
        self._replies: list[NewRecord] = []
        self._happened: Counter[str] = Counter()

    async def play(self) -> Counter[str]:
        await self._saga.when(self._start)
        for _ in range(MOST_TURNS):
            self._look()
            if self._saga.scenario.parked:
                raise AssertionError(f"a message is parked{self._saga.scenario.troubles()}")
            instance = self._saga.instance
            if not (self._commands or self._replies or instance.next_deadline):
                if instance.has_ended:
                    break
                self._participants.repair()
                await self._saga.act("resume")
                continue
            await self._turn()
        else:
            raise AssertionError(f"it comes to no end: {self._saga.instance}")
        self._require_balance()
        await self._require_harmless_afterwards()
        return self._happened

    def _look(self) -> None:
        """Put what was sent since among what is under way."""
        self._commands += self._saga.commands[self._seen :]
        self._seen = len(self._saga.commands)

    async def _turn(self) -> None:
        could = (
            ["time"] + ["command"] * 4 * bool(self._commands) + ["reply"] * 4 * bool(self._replies)
        )
        if self._cancellations and self._rng.random() < 0.1:
            await self._saga.when(self._cancellations.pop(0))
            return
        match self._rng.choice(could):
            case "command":
                self._deliver(self._any_of(self._commands))
            case "reply":
                count = self._rng.randint(1, len(self._replies))
                await self._saga.come([self._any_of(self._replies) for _ in range(count)])
            case _:
                await self._pass_time()

    async def _pass_time(self) -> None:
        """Let time pass, perhaps with a reply in the same batch, before the deadlines or behind them."""
        together = [self._any_of(self._replies)] if self._replies else []
        behind = self._rng.random() < 0.5
        seconds = self._rng.choice([1.0, 10.0, 40.0])
        if behind:
            await self._saga.after(*together, seconds=seconds)
        else:
            await self._saga.after(seconds=seconds, before=together)

    def _deliver(self, sent: Sent) -> None:
        if sent.expires_at and self._saga.now >= sent.expires_at:
            self._happened["expired"] += 1
            return
        reply = self._participants.take(sent)
        if reply is not None:
            times = self._rng.choice([1, 1, 2])
            self._replies += [self._saga.reply_to(sent, reply) for _ in range(times)]

    def _any_of(self, queue: list[Any]) -> Any:
        return queue.pop(self._rng.randrange(len(queue)))

    def _require_balance(self) -> None:
        instance, held = self._saga.instance, self._participants.held
        self._happened[instance.status] += 1
        self._happened.update(each.what for each in self._saga.log if each.what != instance.status)
        steps = self._saga.saga.by_name
        if instance.status == "compensated":
            kept = {name for name in held if steps[name].undoing}
        else:
            done = {name for name, run in instance.steps.items() if run.status == "done"}
            kept = {name for name in done if steps[name].do} ^ held
        if kept:
            raise AssertionError(
                f"{instance.saga} is {instance.status} ({instance.reason}), and the books of {sorted(kept)} do not "
                "balance"
            )

    async def _require_harmless_afterwards(self) -> None:
        """Have every command answered once more, before the saga is forgotten and afterwards."""
        again = [
            self._saga.reply_to(sent, reply)
            for sent in self._saga.commands
            if (reply := self._participants.take(sent)) is not None
        ]
        before = self._saga.instance
        await self._saga.come(again)
        if self._saga.instance != before:
            raise AssertionError(f"the end was none: {before}, then {self._saga.instance}")
        count = len(self._saga.commands)
        await self._saga.after(seconds=FOR_LONG_S)
        await self._saga.come(list(again))
        if self._saga.scenario.state.instances or len(self._saga.commands) > count:
            raise AssertionError(f"{before} was not forgotten, or began again")
