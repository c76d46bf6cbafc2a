"""A saga on its way from how it stood to how it stands, one step of its life."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from cdc.ids import first_id_at
from consumers.sagas.definition import Ask, Saga, Step
from consumers.sagas.inputs import Act, Deadline, Reply, Verb
from consumers.sagas.instance import ENDED, UNDOING, Entry, Instance, Status, StepRun
from schemas.message import Message

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A message to send.

    Args:
        id: Its id.
        message: What is sent.
        key: Record key, the saga's id.
        to: Topic, where the message is on several.
        reply_to: Topic of the replies; None when none is wanted.
        expires_at: When it is too late to act on it.
    """

    id: UUID
    message: Message
    key: str
    to: str | None = None
    reply_to: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision(Generic[S]):
    """What follows.

    Args:
        instance: How the saga stands then; the same object where nothing changes.
        sends: What is to be sent, in this order.
        entries: What is to be noted.
        refused: Why an operator's action was not carried out; empty when it was, or there was none.
    """

    instance: Instance[S]
    sends: tuple[Send, ...]
    entries: tuple[Entry, ...]
    refused: str = ""


def message_id(now: datetime, *parts: object) -> UUID:
    """Return a UUIDv7 of a time whose other bits follow from what it is for; the same each time."""
    chance = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    value = first_id_at(now).int | int.from_bytes(chance[:10])
    value = value & ~(0xF << 76) | 0x7 << 76  # version 7
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)  # variant of RFC 9562


_STEP_MISSING: Mapping[Verb, str] = {
    "resume": "no step of it has used up its attempts",
    "retry": "it waits for no step",
    "skip": "which step is not said",
}


class Run(Generic[S]):
    """Takes in what comes, notes it, and works out what follows."""

    def __init__(
        self, saga: Saga[S], instance: Instance[S], now: datetime, cause: UUID | None
    ) -> None:
        self._saga = saga
        self._before = instance
        self._now = now
        self._cause = cause
        self._state = instance.state
        self._steps = dict(instance.steps)
        self._status: Status = instance.status
        self._reason = instance.reason
        self._sends: list[Send] = []
        self._entries: list[Entry] = []
        self._refused = ""

    def decision(self) -> Decision[S]:
        """Return what all of it comes to."""
        after = replace(
            self._before,
            state=self._state,
            steps=self._steps,
            status=self._status,
            reason=self._reason,
        )
        if after == self._before:
            after = self._before
        else:
            if after.status in ENDED:
                after = replace(after, steps=_without_deadlines(after.steps))
            after = replace(after, updated_at=self._now)
        return Decision(after, tuple(self._sends), tuple(self._entries), self._refused)

    def note(
        self,
        what: str,
        step: str = "",
        *,
        type_: str = "",
        message_id: UUID | None = None,
        detail: str = "",
        state: S | None = None,
    ) -> None:
        self._entries.append(
            Entry(
                saga=self._before.saga,
                saga_id=self._before.id,
                at=self._now,
                what=what,
                step=step,
                type=type_,
                message_id=message_id,
                detail=detail,
                state=state,
            )
        )

    def reply(self, reply: Reply) -> None:
        type_, id_ = reply.message.NAME, self._cause
        step, undoing = self._asked_by(reply.to)
        if step is None:
            self.note("unmatched", type_=type_, message_id=id_)
            return
        name, run = step.name, self._steps[step.name]
        if self._status in ENDED or not run.is_open or run.undoing != undoing:
            self.note("late", name, type_=type_, message_id=id_)
            return
        ask = self._ask_of(step)
        kind = type(reply.message)
        if kind in ask.ok:
            self._state = ask.ok[kind](self._state, reply.message)
            self._set(name, status="undone" if undoing else "done", due=None)
            self.note("answered", name, type_=type_, message_id=id_)
        elif kind in ask.refused:
            self._state = ask.refused[kind](self._state, reply.message)
            self.note("refused", name, type_=type_, message_id=id_)
            self._refuse(step, kind.__name__)
        else:
            self.note("unexpected", name, type_=type_, message_id=id_)
            return
        self.go_on()

    def deadline(self, passed: Deadline) -> None:
        run = self._steps.get(passed.step)
        if (
            self._status in ENDED
            or run is None
            or run.generation != passed.generation
            or run.status not in {"out", "waiting"}
        ):
            self.note("late deadline", passed.step, detail=f"generation {passed.generation}")
            return
        step = self._saga.by_name[passed.step]
        if run.status == "waiting":
            self._ask(step)
        else:
            self._timed_out(step, run)
        self.go_on()

    def cancel(self, message: Message) -> None:
        if self._cannot_be_cancelled():
            self.note(
                "cancelled too late",
                type_=message.NAME,
                message_id=self._cause,
                detail=self._cannot_be_cancelled(),
            )
            if self._saga.too_late and self._status not in ENDED | UNDOING:
                told = self._saga.too_late(self._state)
                id_ = message_id(self._now, self._before.saga, self._before.id, self._cause)
                self._sends.append(Send(id=id_, message=told, key=self._before.id))
            return
        self._state = self._saga.cancellations[type(message)](self._state, message)
        self.note("cancelled", type_=message.NAME, message_id=self._cause)
        self._compensate("cancelled")
        self.go_on()

    def act(self, act: Act) -> None:
        self._refused = self._carry_out(act)
        self.note("refused to act" if self._refused else "acted", act.step, detail=act.who)
        if not self._refused:
            self.go_on()

    def forked(self, act: Act, why_not: str) -> None:
        self._refused = why_not
        self.note("refused to act" if why_not else "forked", act.step, detail=act.who)
        if not why_not:
            self.go_on()

    def go_on(self) -> None:
        """Ask what is next, in whichever direction."""
        if self._status in ENDED:
            return
        if self._status in UNDOING:
            self._go_back()
        else:
            self._go_forward()

    def _go_forward(self) -> None:
        for stage in self._saga.stages:
            for step in stage:
                if step.name not in self._steps:
                    self._enter(step)
            runs = [self._steps[step.name] for step in stage if self._steps[step.name].is_open]
            if runs:
                self._status = _forward_status({run.status for run in runs})
                break
        else:
            self._end("completed")
        if self._status != "paused":
            self._reason = ""

    def _go_back(self) -> None:
        for stage in reversed(self._saga.stages):
            for step in stage:
                self._turn(step)
            runs = [run for step in stage if (run := self._steps.get(step.name)) and run.is_open]
            if runs:
                given_up = any(run.status == "given_up" for run in runs)
                self._status = "stuck" if given_up else "compensating"
                return
        self._end("compensated")

    def _enter(self, step: Step[S]) -> None:
        if step.when is not None and not step.when(self._state):
            self._steps[step.name] = StepRun(status="skipped")
            self.note("not needed", step.name, state=self._state)
        elif step.do is None:
            self._steps[step.name] = StepRun(status="done")
        else:
            self._steps[step.name] = StepRun(status="out")
            self._ask(step)

    def _turn(self, step: Step[S]) -> None:
        """Begin to undo a step that has begun, whether it is known to be done or not."""
        run = self._steps.get(step.name)
        if run is None or run.undoing or run.status in {"refused", "skipped"}:
            return
        self._set(step.name, undoing=True, tries=0, due=None, status="undone")
        if step.undoing:
            self._ask(step)

    def _ask(self, step: Step[S]) -> None:
        run, ask = self._steps[step.name], self._ask_of(step)
        message = ask.build(self._state)
        generation = max(run.generation, self._before.generations) + 1
        id_ = message_id(self._now, self._before.saga, self._before.id, step.name, generation)
        due = self._now + timedelta(seconds=ask.within_s)
        self._sends.append(
            Send(
                id=id_,
                message=message,
                key=self._before.id,
                to=ask.to,
                reply_to=self._saga.replies_to,
                expires_at=due,
            )
        )
        ids = {"undos": (*run.undos, id_)} if run.undoing else {"asked": (*run.asked, id_)}
        self._set(
            step.name, status="out", tries=run.tries + 1, generation=generation, due=due, **ids
        )
        detail = f"attempt {run.tries + 1}"
        what = "asked to undo" if run.undoing else "asked"
        begins = not run.undoing and not run.asked
        state = self._state if begins else None
        self.note(what, step.name, type_=message.NAME, message_id=id_, detail=detail, state=state)

    def _timed_out(self, step: Step[S], run: StepRun) -> None:
        """Wait for another attempt, give up, or turn back."""
        self.note("no answer in time", step.name, detail=f"attempt {run.tries}")
        pause_s = self._saga.retries_of(step, self._ask_of(step)).pause_s(
            run.tries, lambda: self._share(step.name, run.generation)
        )
        if pause_s is not None:
            due = self._now + timedelta(seconds=pause_s)
            self._set(step.name, status="waiting", generation=run.generation + 1, due=due)
        elif run.undoing or self._saga.stage_of[step.name] >= self._saga.pivot:
            self._give_up(step, "no answer in time")
        else:
            self._compensate(f"{step.name}: no answer in time")

    def _refuse(self, step: Step[S], reply: str) -> None:
        run = self._steps[step.name]
        if run.undoing or self._saga.stage_of[step.name] > self._saga.pivot:
            self._give_up(step, reply)
        else:
            self._set(step.name, status="refused", due=None)
            self._compensate(f"{step.name}: {reply}")

    def _give_up(self, step: Step[S], why: str) -> None:
        self._set(step.name, status="given_up", due=None)
        self._reason = self._reason or f"{step.name}: {why}"
        self.note("given up", step.name, detail=why)

    def _compensate(self, reason: str) -> None:
        self._status, self._reason = "compensating", reason
        if self._saga.because:
            self._state = self._saga.because(self._state, reason)
        self.note("compensating", detail=reason)

    def _end(self, status: Status) -> None:
        self._status = status
        self.note(status)

    def _cannot_be_cancelled(self) -> str:
        """Return why; empty when it can be."""
        if self._status in ENDED | UNDOING:
            return f"it is {self._status}"
        pivot = [step.name for step in (*self._saga.stages, ())[self._saga.pivot]]
        begun = [name for name in pivot if name in self._steps]
        return f"{begun[0]} has begun, from which on nothing is undone" if begun else ""

    def _carry_out(self, act: Act) -> str:
        """Return why it was not; empty when it was."""
        if self._status in ENDED:
            return f"it is {self._status}"
        if act.verb == "kill":
            self._reason = self._reason or act.who
            self._end("abandoned")
            return ""
        if act.verb == "cancel":
            why = self._cannot_be_cancelled()
            if not why:
                self._compensate("an operator")
            return why
        return self._about_steps(act)

    def _about_steps(self, act: Act) -> str:
        """Return why nothing was done about the steps that a saga waits for; empty when something was."""
        wanted = {"given_up"} if act.verb == "resume" else {"out", "waiting", "given_up"}
        waits_for = [name for name, run in self._steps.items() if run.status in wanted]
        steps = [name for name in waits_for if act.step in {"", name}]
        if not act.step and (act.verb == "skip" or not steps):
            return _STEP_MISSING[act.verb]
        if not steps and act.verb == "resume":
            return f"{act.step} has not used up its attempts"
        if not steps:
            but_for = f", but for {', '.join(waits_for)}" if waits_for else ""
            return f"it does not wait for {act.step}{but_for}"
        for name in steps:
            if act.verb == "skip":
                undoing = self._steps[name].undoing
                self._set(name, status="undone" if undoing else "done", due=None)
            else:
                self._set(name, tries=0)
                self._ask(self._saga.by_name[name])
        return ""

    def _asked_by(self, id_: UUID | None) -> tuple[Step[S] | None, bool]:
        """Return the step that a command is of, and whether it was to undo it."""
        for name, run in self._steps.items():
            if id_ in run.asked or id_ in run.undos:
                return self._saga.by_name[name], id_ in run.undos
        return None, False

    def _ask_of(self, step: Step[S]) -> Ask[S]:
        ask = step.undoing if self._steps[step.name].undoing else step.do
        if ask is None:
            raise AssertionError(f"{self._saga.name} asks nothing in {step.name}")
        return ask

    def _set(self, name: str, **changes: Any) -> None:
        self._steps[name] = replace(self._steps[name], **changes)

    def _share(self, step: str, generation: int) -> float:
        """Return a number from 0 to 1 in the place of chance."""
        given = message_id(self._now, self._before.id, step, generation)
        return (given.int & 0xFFFF) / 0xFFFF


def _forward_status(open_: set[str]) -> Status:
    if "given_up" in open_:
        return "paused"
    return "running" if "out" in open_ else "waiting"


def _without_deadlines(steps: Mapping[str, StepRun]) -> dict[str, StepRun]:
    return {name: replace(run, due=None) for name, run in steps.items()}
