"""How a saga goes on, message by message."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from cdc.ids import new_id
from consumers.sagas.definition import NOTHING_TO_UNDO, Ask, Saga, Step
from consumers.sagas.engine import advance, begin, fire
from consumers.sagas.fork import fork
from consumers.sagas.inputs import Act, Cancel, Deadline, Input, Reply, Start
from consumers.sagas.instance import Instance
from consumers.sagas.run import Decision, Send, message_id
from tests import sagas
from tests.sagas import State, Trial, trial

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ITEM = "item-1"


class Play:
    """A saga that is played through by hand."""

    def __init__(self, text: str = "", saga: Saga[State] | None = None) -> None:
        self.saga = saga or trial()
        self.now = NOW
        self.sent: list[Send] = []
        self.sent_before: list[Send] = []
        self.noted: list[str] = []
        self.states: dict[str, State] = {}
        placed = sagas.Placed(item_id=ITEM, text=text)
        start = Start(message=placed, saga_id=ITEM, correlation_id=new_id())
        decision = begin(self.saga, start, self.now, new_id())
        assert decision is not None
        self.instance: Instance[State] = decision.instance
        self._took(decision)

    def take(self, given: Input) -> Decision[State]:
        decision = advance(self.saga, self.instance, given, self.now, new_id())
        self._took(decision)
        return decision

    def answer(self, *replies: type[Trial]) -> None:
        """Answer the last commands that were sent to the steps that wait for such replies."""
        for reply in replies:
            command = next(
                send
                for send in reversed(self.sent)
                for ask in self.saga.asks
                if reply in ask.replies and isinstance(send.message, ask.command)
            )
            self.take(Reply(reply(item_id=ITEM), command.id))

    def answer_last(self, reply: type[Trial]) -> None:
        """Answer the last command that was sent since it was asked what was."""
        [command] = [
            send
            for send in (*self.sent_before, *self.sent)
            for ask in self.saga.asks
            if reply in ask.replies and isinstance(send.message, ask.command)
        ]
        self.take(Reply(reply(item_id=ITEM), command.id))

    def act(self, verb: Any, step: str = "") -> str:
        return self.take(Act(verb, "ann: to see", step)).refused

    def after(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        steps, passed = fire(self.instance.steps, self.now)
        self.instance = replace(self.instance, steps=steps)
        for step, generation in passed:
            self.take(Deadline(step, generation))

    @property
    def status(self) -> str:
        return self.instance.status

    def asked(self) -> list[str]:
        """Return what was sent since this was asked last."""
        names, self.sent_before = [type(each.message).__name__ for each in self.sent], self.sent
        self.sent = []
        return names

    def _took(self, decision: Decision[State]) -> None:
        self.instance = decision.instance
        self.sent += decision.sends
        self.noted += [entry.what for entry in decision.entries]
        self.states |= {entry.step: entry.state for entry in decision.entries if entry.state}


def to_the_pivot() -> Play:
    play = Play()
    play.answer(sagas.Authorised, sagas.Reserved, sagas.Checked)
    return play


def test_steps_follow_one_another_those_of_a_group_at_once() -> None:
    play = Play()
    assert [type(each.message) for each in play.sent] == [sagas.Authorise]
    play.answer(sagas.Authorised)
    assert [type(each.message) for each in play.sent[1:]] == [sagas.Reserve, sagas.Check]
    play.answer(sagas.Checked)
    assert len(play.sent) == 3, "the other is waited for"
    play.answer(sagas.Reserved, sagas.Captured)
    assert play.status == "running"
    play.answer(sagas.Confirmed)
    assert play.status == "completed"
    assert play.instance.next_deadline is None
    assert play.instance.state.seen == ("Authorised", "Checked", "Reserved", "Captured")


def test_a_command_has_key_deadline_and_where_to_answer() -> None:
    [command] = Play().sent
    assert (command.key, command.reply_to) == (ITEM, "trial.replies")
    assert command.expires_at == NOW + timedelta(seconds=30)
    assert command.id == Play().sent[0].id, "it follows from what it is for"
    assert (command.id.version, command.id.variant) == (7, new_id().variant)


def test_what_is_none_of_its_business_starts_nothing() -> None:
    placed = sagas.Placed(item_id=ITEM, text="not ours")
    start = Start(message=placed, saga_id=ITEM, correlation_id=new_id())
    assert begin(trial(), start, NOW) is None


def test_a_step_that_does_not_apply_is_passed_over_in_both_directions() -> None:
    play = Play("digital")
    play.answer(sagas.Authorised)
    assert [type(each.message) for each in play.sent] == [sagas.Authorise, sagas.Check]
    play.answer(sagas.Fraud, sagas.Voided, sagas.Rejected)
    assert play.status == "compensated"
    assert sagas.Release not in {type(each.message) for each in play.sent}


def test_a_refusal_undoes_in_the_reverse_order_what_was_done_and_what_may_have_been() -> None:
    play = Play()
    play.answer(sagas.Authorised)
    play.asked()
    play.take(Reply(sagas.Fraud(item_id=ITEM), play.sent_before[-1].id))
    assert play.status == "compensating"
    assert play.asked() == ["Release"], "nobody knows whether it was reserved"
    play.take(Reply(sagas.Released(item_id=ITEM), play.sent_before[-1].id))
    assert play.asked() == ["Void"]
    play.take(Reply(sagas.Voided(item_id=ITEM), play.sent_before[-1].id))
    assert play.status == "compensating"
    [rejection] = play.sent
    assert rejection.message == sagas.Reject(item_id=ITEM, text="check: Fraud")
    play.answer(sagas.Rejected)
    assert play.status == "compensated"
    assert play.instance.reason == "check: Fraud"


def test_what_was_refused_is_not_undone() -> None:
    play = Play()
    play.answer(sagas.Declined)
    assert [type(each.message) for each in play.sent] == [sagas.Authorise, sagas.Reject]


def test_no_answer_in_time_undoes() -> None:
    play = Play()
    play.after(30)
    assert play.status == "compensating"
    assert [type(each.message) for each in play.sent] == [sagas.Authorise, sagas.Void]
    play.answer(sagas.Voided, sagas.Rejected)
    assert (play.status, play.instance.reason) == ("compensated", "authorise: no answer in time")


def test_what_may_be_tried_again_is_after_a_pause() -> None:
    play = Play()
    play.answer(sagas.Authorised, sagas.Checked)
    play.asked()
    play.after(30)
    assert (play.status, play.asked()) == ("waiting", [])
    play.after(10)
    assert (play.status, play.asked()) == ("running", ["Reserve"])
    [again] = play.sent_before
    assert again.expires_at == play.now + timedelta(seconds=30)
    play.take(Reply(sagas.Reserved(item_id=ITEM), again.id))
    assert play.asked() == ["Capture"]


def test_an_answer_to_an_earlier_attempt_counts() -> None:
    play = Play()
    play.answer(sagas.Authorised, sagas.Checked)
    [first] = [each for each in play.sent if isinstance(each.message, sagas.Reserve)]
    play.after(30)
    play.after(10)
    play.take(Reply(sagas.Reserved(item_id=ITEM), first.id))
    assert type(play.sent[-1].message) is sagas.Capture
    play.answer(sagas.Reserved)
    assert play.noted[-1] == "late"


def test_behind_the_pivot_nothing_is_undone() -> None:
    play = to_the_pivot()
    for _ in range(3):
        play.after(30)
        play.after(10)
    assert (play.status, play.instance.reason) == ("paused", "capture: no answer in time")
    assert [type(each.message) for each in play.sent[-3:]] == [sagas.Capture] * 3
    assert play.instance.next_deadline is None
    assert play.act("resume") == ""
    assert play.status == "running"
    play.answer(sagas.Captured)
    assert (play.status, play.instance.reason) == ("running", "")


def test_an_answer_ends_a_pause_that_a_human_was_asked_about() -> None:
    play = to_the_pivot()
    for _ in range(3):
        play.after(30)
        play.after(10)
    play.answer(sagas.Captured, sagas.Confirmed)
    assert play.status == "completed"


def test_a_pivot_that_is_refused_undoes() -> None:
    play = to_the_pivot()
    play.answer(sagas.Bounced)
    assert play.status == "compensating"
    play.answer(sagas.Released, sagas.Voided, sagas.Rejected)
    assert play.status == "compensated"


def test_an_undo_that_is_not_answered_is_stuck_until_somebody_sees_to_it() -> None:
    play = Play()
    play.answer(sagas.Declined)
    for _ in range(3):
        play.after(30)
        play.after(10)
    assert (play.status, play.instance.reason) == ("stuck", "authorise: Declined")
    assert play.act("resume") == ""
    assert play.status == "compensating"
    play.answer(sagas.Rejected)
    assert play.status == "compensated"


def test_a_cancellation_undoes_also_what_is_under_way() -> None:
    play = Play()
    play.take(Cancel(sagas.Withdrawn(item_id=ITEM)))
    assert type(play.sent[-1].message) is sagas.Void
    play.answer(sagas.Authorised)
    assert play.noted[-1] == "late"
    play.answer(sagas.Voided, sagas.Rejected)
    assert (play.status, play.instance.reason) == ("compensated", "cancelled")


def test_a_cancellation_after_the_pivot_has_begun_is_too_late_and_is_told() -> None:
    play = to_the_pivot()
    before = play.instance
    play.take(Cancel(sagas.Withdrawn(item_id=ITEM)))
    assert play.instance is before
    assert play.noted[-1] == "cancelled too late"
    assert play.sent[-1].message == sagas.Sorry(item_id=ITEM)
    play.answer(sagas.Captured, sagas.Confirmed)
    assert play.status == "completed"


def test_what_comes_twice_or_late_changes_nothing() -> None:
    play = Play()
    play.answer(sagas.Authorised)
    before, sent = play.instance, len(play.sent)
    play.answer(sagas.Authorised)
    play.take(Reply(sagas.Authorised(item_id=ITEM), new_id()))
    play.take(Reply(sagas.Authorised(item_id=ITEM), None))
    play.take(Deadline("authorise", 1))
    play.take(Deadline("nowhere", 1))
    play.take(Reply(sagas.Confirmed(item_id=ITEM), play.sent[-1].id))
    assert play.instance is before
    assert len(play.sent) == sent
    assert play.noted[-6:] == [
        "late", "unmatched", "unmatched", "late deadline", "late deadline", "unexpected",
    ]  # fmt: skip


def test_a_deadline_that_comes_twice_does_not_shorten_the_pause() -> None:
    play = Play()
    play.answer(sagas.Authorised, sagas.Checked)
    play.after(30)
    [generation] = [
        run.generation for run in play.instance.steps.values() if run.status == "waiting"
    ]
    play.take(Deadline("reserve", generation - 1))
    assert (play.status, play.noted[-1]) == ("waiting", "late deadline")


def test_reply_and_deadline_at_once_whichever_lies_first_wins() -> None:
    first, second = Play(), Play()
    reply = Reply(sagas.Authorised(item_id=ITEM), first.sent[0].id)
    passed = Deadline("authorise", 1)
    first.take(reply)
    first.take(passed)
    second.take(passed)
    second.take(reply)
    assert (first.status, second.status) == ("running", "compensating")
    assert (first.noted[-1], second.noted[-1]) == ("late deadline", "late")


def test_an_operator_may_cancel_kill_and_skip() -> None:
    cancelled, killed, skipped = Play(), Play(), Play()
    assert cancelled.act("cancel") == ""
    assert (cancelled.status, type(cancelled.sent[-1].message)) == ("compensating", sagas.Void)
    assert killed.act("kill") == ""
    assert (killed.status, killed.instance.reason) == ("abandoned", "ann: to see")
    assert len(killed.sent) == 1
    killed.answer(sagas.Authorised)
    assert killed.noted[-1] == "late"
    assert skipped.act("skip", "authorise") == ""
    assert type(skipped.sent[-1].message) is sagas.Check


def test_an_operator_may_have_it_tried_again_right_now() -> None:
    play = Play()
    assert play.act("retry", "authorise") == ""
    assert [type(each.message) for each in play.sent] == [sagas.Authorise] * 2
    play.take(Deadline("authorise", 1))
    assert play.noted[-1] == "late deadline"


def test_what_an_operator_cannot_have_is_said() -> None:
    play = Play()
    assert play.act("resume") == "no step of it has used up its attempts"
    assert play.act("resume", "authorise") == "authorise has not used up its attempts"
    assert play.act("skip") == "which step is not said"
    assert play.act("retry", "capture") == "it does not wait for capture, but for authorise"
    assert play.act("kill") == ""
    assert play.act("kill") == "it is abandoned"
    assert to_the_pivot().act("cancel") == ("capture has begun, from which on nothing is undone")


def fork_of(play: Play, step: str, saga: Saga[State] | None = None) -> str:
    """Fork a saga with what it remembered when the step began; return why not, or nothing."""
    state = play.states.get(step)
    act = Act("fork", "ann: to see", step)
    decision = fork(saga or play.saga, play.instance, play.saga, state, act, play.now)
    play.saga = saga or play.saga
    play.asked()
    play._took(decision)
    return decision.refused


def test_a_saga_that_was_killed_is_run_from_the_step_it_stood_at() -> None:
    play = to_the_pivot()
    play.act("kill")
    at, late = play.instance, play.sent[-1].id
    play.after(1)
    assert fork_of(play, "capture") == ""
    assert (play.status, play.instance.reason) == ("running", "")
    assert play.asked() == ["Capture"]
    assert play.instance.state == at.state
    play.take(Reply(sagas.Captured(item_id=ITEM), late))
    play.take(Deadline("capture", at.steps["capture"].generation))
    assert play.noted[-2:] == ["unmatched", "late deadline"], "they are of the run before"
    assert play.status == "running"
    play.take(Reply(sagas.Captured(item_id=ITEM), play.sent_before[-1].id))
    play.answer(sagas.Confirmed)
    assert play.status == "completed"


def test_a_fork_begins_with_what_was_remembered_then_and_undoes_what_was_kept() -> None:
    play = Play()
    play.answer(sagas.Authorised, sagas.Checked)
    play.act("kill")
    assert play.instance.state.seen == ("Authorised", "Checked")
    assert fork_of(play, "check") == ""
    assert play.instance.state == State(ITEM, "", ("Authorised",))
    assert play.asked() == ["Reserve", "Check"], "those beside it as well"
    play.answer_last(sagas.SoldOut)
    play.answer_last(sagas.Voided)
    play.answer_last(sagas.Rejected)
    assert play.status == "compensated"


def test_what_was_undone_is_done_again_or_not_at_all() -> None:
    play = Play()
    play.answer(sagas.Authorised, sagas.Fraud, sagas.Released, sagas.Voided, sagas.Rejected)
    assert play.status == "compensated"
    assert fork_of(play, "reserve") == "item comes before reserve and is undone, not done"
    assert fork_of(play, "capture") == "capture has not begun"
    assert fork_of(play, "ship") == "version 1 of trial has no step ship"


def test_a_saga_is_not_run_from_where_something_would_be_left_behind_or_done_twice() -> None:
    play = to_the_pivot()
    assert fork_of(play, "capture").startswith("it is running; end it first, with")
    play.act("kill")
    turned = "capture has begun, from which on nothing is undone; fork from"
    assert fork_of(play, "authorise") == f"{turned} there"
    done = to_the_pivot()
    done.answer(sagas.Captured, sagas.Confirmed)
    assert fork_of(done, "capture") == f"{turned} a step behind it"
    assert fork_of(done, "confirm") == ""
    assert done.asked() == ["Confirm"]
    held = Play()
    held.answer(sagas.Authorised)
    held.act("kill")
    assert (
        fork_of(held, "authorise")
        == "reserve comes behind authorise and is not undone; fork from there"
    )
    del held.states["check"]
    assert fork_of(held, "check") == "what it remembered when check began was not kept"


def test_a_fork_with_another_version_needs_all_that_comes_before_there() -> None:
    play = Play()
    play.answer(sagas.Authorised)
    play.act("kill")
    steps = list(trial().steps)
    first = Step("weigh", do=Ask(sagas.check, ok=sagas.Checked, within_s=5), undo=NOTHING_TO_UNDO)
    more = trial(version=2, steps=[steps[0], first, *steps[1:]])
    assert fork_of(play, "check", more) == "weigh comes before check and is not begun, not done"
    play.saga = trial()
    assert fork_of(play, "check", trial(version=3)) == ""
    assert play.instance.version == 3


@pytest.mark.parametrize("part", ["", "a"])
def test_ids_differ_by_what_they_are_for(part: str) -> None:
    ids = {message_id(NOW, part, "b"), message_id(NOW, part, "c"), message_id(NOW, part + "b")}
    assert len(ids) == 3
    assert all(isinstance(each, UUID) for each in ids)
