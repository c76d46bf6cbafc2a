"""What the worker of sagas sees to beside messages: deadlines, what operators want, what ended long ago."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from cdc import causes
from cdc.chores import is_trouble_of_the_database
from cdc.context import MessageContext
from cdc.due import DueWork
from cdc.logs import FieldLogger
from cdc.outbox import Outbox, Outgoing
from cdc.tracing.spans import beginning
from consumers.runtime.consumer import Consumer
from consumers.sagas.definition import Saga
from consumers.sagas.engine import advance, fire
from consumers.sagas.fork import fork
from consumers.sagas.inputs import Act
from consumers.sagas.instance import Instance
from consumers.sagas.outgoing import outgoing
from consumers.sagas.registry import Sagas
from consumers.sagas.run import Decision
from consumers.sagas.store import Action, Armed, SagaStore
from schemas.messages.sagas import DeadlinePassed

S = TypeVar("S")

AT_ONCE = 500
"""Sagas whose deadlines are taken in one transaction."""

log = FieldLogger(__name__)


class DeadlineWork(DueWork[Sequence[Armed]]):
    """Deadlines that have passed. None changes its saga by itself: each is sent to where the replies are.

    So it lies in the log behind every reply that was published before, and of the two the first one counts.

    Args:
        sagas: The definitions.
        store: Where sagas are.
        consumer: Whose clock tells the time.
        outbox: Where they are sent.
    """

    def __init__(self, sagas: Sagas, store: SagaStore, consumer: Consumer, outbox: Outbox) -> None:
        self._sagas = sagas
        self._store = store
        self._topics = {saga.name: saga.replies_to for saga in sagas}
        self._clock = consumer.clock
        self._outbox = outbox

    async def take(self, transaction: Any) -> Sequence[Sequence[Armed]]:
        passed = await self._store.take_passed(transaction, self._sagas, self._clock(), AT_ONCE)
        return [passed] if passed else []

    async def attempt(self, transaction: Any, row: Sequence[Armed]) -> None:
        now, sends, left = self._clock(), list[Outgoing](), list[Armed]()
        for armed in row:
            steps, passed = fire(armed.steps, now)
            left.append(replace(armed, steps=steps))
            sends += [self._outgoing(armed, step, generation) for step, generation in passed]
        await self._store.rearm(transaction, left)
        await self._outbox.send_many(transaction, sends)

    def _outgoing(self, armed: Armed, step: str, generation: int) -> Outgoing:
        run = armed.steps[step]
        context = MessageContext(
            correlation_id=armed.correlation_id, causation_id=(run.undos or run.asked)[-1]
        )
        # a saga may go on for days, and is as many traces as there are times when time alone has it go on
        told = {
            "tailrace.saga": armed.saga,
            "tailrace.saga_id": armed.saga_id,
            "tailrace.step": step,
        }
        with beginning("deadline passed", context, **told) as begun:
            return self._outbox.outgoing(
                DeadlinePassed(
                    saga=armed.saga, saga_id=armed.saga_id, step=step, generation=generation
                ),
                key=armed.saga_id,
                to=self._topics[armed.saga],
                context=begun.context,
            )


class ForgettingWork(DueWork[Sequence[tuple[str, str]]]):
    """Sagas that ended long ago, which are forgotten with what was noted about them.

    Args:
        store: Where sagas are.
        keep: How long they are kept.
        consumer: Whose clock tells the time.
    """

    def __init__(self, store: SagaStore, keep: timedelta, consumer: Consumer, _: Outbox) -> None:
        self._store = store
        self._keep = keep
        self._clock = consumer.clock

    async def take(self, transaction: Any) -> Sequence[Sequence[tuple[str, str]]]:
        before = self._clock() - self._keep
        ended = await self._store.take_ended(transaction, before, AT_ONCE)
        return [ended] if ended else []

    async def attempt(self, transaction: Any, row: Sequence[tuple[str, str]]) -> None:
        await self._store.forget(transaction, row)


class ActionWork(DueWork[Action]):
    """What operators want: rows of `saga_action`, each carried out once, with what came of it beside it.

    Args:
        sagas: The definitions.
        store: Where sagas and actions are.
        consumer: Whose clock tells the time.
        outbox: Where sagas send.
    """

    def __init__(self, sagas: Sagas, store: SagaStore, consumer: Consumer, outbox: Outbox) -> None:
        self._sagas = sagas
        self._store = store
        self._clock = consumer.clock
        self._outbox = outbox

    async def take(self, transaction: Any) -> Sequence[Action]:
        action = await self._store.take_action(transaction)
        return [action] if action else []

    async def attempt(self, transaction: Any, row: Action) -> None:
        found = await self._store.load(transaction, [row.saga_id])
        for instance in found:
            if instance.saga == row.saga:
                decision = await self._decide(transaction, instance, row.act)
                changed = [] if decision.instance is instance else [decision.instance]
                await self._store.write(transaction, changed, decision.entries)
                context = MessageContext(correlation_id=instance.correlation_id)
                with beginning(f"saga {row.act.verb}", context) as begun:
                    sends = outgoing(self._outbox, decision.sends, begun.context)
                    await self._outbox.send_many(transaction, sends)
                await self._finish(transaction, row, decision.refused or "done")
                return
        await self._finish(transaction, row, "there is no such saga")

    async def _decide(self, transaction: Any, instance: Instance[Any], act: Act) -> Decision[Any]:
        saga = self._sagas.of(instance.saga, instance.version)
        if act.verb != "fork":
            return advance(saga, instance, act, self._clock())
        then = self._sagas.newest_of(saga.name) if act.newest else saga
        states = await self._store.states(transaction, instance)
        try:
            state = self._state_before(then, act.step, states)
        except ValidationError as error:
            why = causes.in_line(str(error))
            unread = (
                f"version {then.version} cannot read what version {saga.version} remembered: {why}"
            )
            return Decision(instance, (), (), unread)
        decision = fork(then, instance, saga, state, act, self._clock())
        if decision.instance is not instance:
            await self._store.keep_run(transaction, instance)
        return decision

    def _state_before(self, saga: Saga[S], step: str, states: Mapping[str, str]) -> S | None:
        """Return what was remembered when a step began; one that asks nothing begins with the one behind it."""
        for stage in saga.stages[saga.stage_of.get(step, len(saga.stages)) :]:
            for each in stage:
                if each.name in states:
                    state: S = self._sagas.state_of(saga).validate_json(states[each.name])
                    return state
            if any(each.do for each in stage):
                return None
        return None

    async def failed(self, transaction: Any, row: Action, error: Exception) -> None:
        """Write why an action could not be carried out.

        Raises:
            psycopg.Error: the error itself, where the database cannot do its work.
        """
        if is_trouble_of_the_database(error):
            raise error
        text = causes.in_line(repr(error))
        log.warning(
            "action failed", saga=row.saga, saga_id=row.saga_id, verb=row.act.verb, error=text
        )
        await self._finish(transaction, row, text)

    async def _finish(self, transaction: Any, row: Action, outcome: str) -> None:
        await self._store.finish_action(transaction, row.action_id, outcome, self._clock())
