"""What is asked of `tailrace replay`, understood and planned before anything is made; new, or resumed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click

from consumers.replay.errors import ChoiceError, ReplayError
from consumers.replay.log_source import Urls
from consumers.replay.outside import CapturedOutside
from consumers.replay.plan import as_json, make_plan
from consumers.replay.sandboxed import Subject
from consumers.replay.selection import Selection
from consumers.replay.source import Plan
from consumers.replay.state import Mode, RunState, new_run_id
from infra.cli.replay.code import current_code
from infra.cli.replay.options import selection_of
from infra.replay import UnknownConsumerError, find_worker, log_url, states, subject_of
from infra.settings import Settings

REMEMBERED = (
    *("topics", "start", "end", "keys", "types", "ids", "where", "consumer", "source"),
    *("rows", "keep", "rate", "force", "why", "who"),
)
"""Options that a replay needs again when it is resumed."""


@dataclass(frozen=True, slots=True)
class Request:
    """A replay that can begin, or go on.

    Args:
        settings: Where everything is.
        asked: The options.
        subject: The consumer that is meant; None when none is.
        selection: What is replayed.
        plan: What is read for it.
        state: What is remembered of it.
        is_resumed: It was begun before.
    """

    settings: Settings
    asked: Mapping[str, Any]
    subject: Subject | None
    selection: Selection
    plan: Plan
    state: RunState
    is_resumed: bool = False

    @property
    def quiet(self) -> bool:
        """Whether nothing but JSON is wanted."""
        return bool(self.asked["as_json"])

    @property
    def logs(self) -> Urls:
        """Where event logs are read."""
        return partial(log_url, self.settings)

    def save(self) -> None:
        """Remember how far it has come."""
        states(self.settings).save(self.state)

    def forget(self) -> None:
        """It has come to its end."""
        states(self.settings).forget(self.state.run_id)

    @contextmanager
    def resumable(self) -> Iterator[None]:
        """Say how to go on when the block is interrupted or fails; forget what would fail in the same way again."""
        try:
            yield
        except ChoiceError:
            self.forget()
            raise
        except (KeyboardInterrupt, ReplayError):
            click.echo(self.how_to_resume(), err=True)
            raise

    def how_to_resume(self) -> str:
        """Return the sentence for whoever has interrupted it."""
        return f"`tailrace replay --resume {self.state.run_id}` goes on where it stands."


def subject_named(settings: Settings, name: str | None) -> Subject | None:
    """Return the consumer of a name, None for none.

    Raises:
        click.UsageError: no consumer is called so.
    """
    if name is None:
        return None
    try:
        return subject_of(settings, find_worker(name))
    except UnknownConsumerError as error:
        raise click.UsageError(str(error)) from error


def selection_for(asked: Mapping[str, Any], subject: Subject | None) -> Selection:
    """Return what the options choose, of the topics that the consumer reads.

    Raises:
        click.UsageError: the consumer does not read a topic that is named.
    """
    if subject is None:
        return selection_of(asked)
    reads = subject.build(subject.url, CapturedOutside()).topics
    selection = selection_of(asked, reads)
    if foreign := [topic for topic in selection.topics if topic not in reads]:
        raise click.UsageError(
            f"{subject.name} does not read {', '.join(foreign)}; it reads {', '.join(reads)}."
        )
    return selection


def plan_for(settings: Settings, selection: Selection, asked: Mapping[str, Any]) -> Plan:
    """Return what is read for a selection.

    Raises:
        ReplayError: it is nowhere to be had.
        EmptyRangeError: there is nothing.
    """
    logs = partial(log_url, settings)
    now = datetime.now(UTC)
    return make_plan(settings.kafka_bootstrap, logs, selection, now, asked["source"])


def new_request(settings: Settings, asked: Mapping[str, Any], mode: Mode, target: str) -> Request:
    """Return a replay that is to begin.

    Args:
        settings: Where everything is.
        asked: The options.
        mode: What becomes of the messages.
        target: Topic to publish to; empty for the others.

    Raises:
        click.UsageError: it does not say whose handlers are called.
    """
    subject = subject_named(settings, asked["consumer"])
    if subject is None and mode != "topic":
        raise click.UsageError("Say whose handlers are called: --consumer analytics.")
    selection = selection_for(asked, subject)
    plan = plan_for(settings, selection, asked)
    remembered = {name: asked[name] for name in REMEMBERED}
    state = RunState(
        run_id=new_run_id(),
        mode=mode,
        asked=remembered | {"ids": [str(each) for each in asked["ids"]]},
        plan=as_json(plan),
        target=target,
        code=current_code(),
    )
    return Request(settings, asked, subject, selection, plan, state)


def resumed_request(settings: Settings, asked: Mapping[str, Any]) -> Request:
    """Return a replay that was interrupted.

    Raises:
        ReplayError: there is none that could be resumed.
    """
    state = states(settings).load(asked["resume"])
    anew = {name: asked[name] for name in ("rate", "rows") if asked[name] is not None}
    before = {**asked, **state.asked, **anew}
    subject = subject_named(settings, before["consumer"])
    if subject is None and state.mode != "topic":
        raise ReplayError(f"the replay {state.run_id} does not say whose handlers it calls")
    selection = selection_for(before, subject)
    return Request(settings, before, subject, selection, state.planned(), state, is_resumed=True)
