"""The commands `tailrace saga`: what sagas there are, what they wait for, and what is to be done about one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import click

from cdc.text import printable
from consumers.runtime.locking.reading import SHOWN, Locked
from consumers.sagas.inputs import Verb
from consumers.sagas.instance import ENDED, Status
from consumers.sagas.reading import Choice, Found
from infra.cli.common import Group, confirm, examples, who_option, yes_option
from infra.cli.output import json_option, tell
from infra.cli.values import COUNT, TEXT
from infra.deployment.current import load_deployment
from infra.operations import sagas as operations
from infra.operations.locks import find_lock, free
from infra.operations.locks import locks as find_locks
from infra.tables import table
from infra.text import age, counted, local

STATUSES = (*operations.OPEN, *(each for each in get_args(Status) if each in ENDED))

saga_option = click.option("--saga", type=TEXT, help="Only of this definition.")
id_argument = click.argument("saga_id", metavar="ID", type=TEXT)


@click.group(cls=Group)
def saga() -> None:
    """See sagas, and see to those that need somebody.

    A saga is named by its id, which is the record key of what started it, such as an order's id.
    """


@saga.command("list")
@saga_option
@click.option("--status", multiple=True, type=click.Choice(STATUSES), help="Only these.")
@click.option("-n", "--limit", type=COUNT, default=20, show_default=True)
@json_option
@examples("tailrace saga list --status paused --status stuck")
def list_sagas(*, saga: str | None, status: tuple[str, ...], limit: int) -> None:
    """Show sagas, those first that have not changed for longest."""
    with operations.open_sagas(load_deployment()) as readers:
        found = operations.list_sagas(readers, Choice(saga=saga, status=status or None), limit)
    headings = ("saga", "definition", "status", "changed", "waits for")
    shown = table(headings, map(_row, found), wrap=headings[1:])
    tell(found, [shown if found else "There is no such saga."])


@saga.command()
@id_argument
@saga_option
@json_option
@examples("tailrace saga show 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968")
def show(*, saga_id: str, saga: str | None) -> None:
    """Show everything about one saga: state, steps, what happened, who did what, what remains."""
    with operations.open_sagas(load_deployment()) as readers:
        shown = operations.show(readers, saga_id, saga)
    tell(shown, _lines(shown))


@saga.command()
@id_argument
@saga_option
@json_option
@examples("tailrace saga diagram 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968")
def diagram(*, saga_id: str, saga: str | None) -> None:
    """Show the definition of a saga with its path, as Mermaid."""
    with operations.open_sagas(load_deployment()) as readers:
        text = operations.diagram(readers, saga_id, saga)
    tell({"mermaid": text}, [text])


@saga.command()
@click.option(
    "--for",
    "seconds",
    type=COUNT,
    default=10,
    show_default=True,
    help="Unchanged for so many seconds.",
)
@json_option
@examples("tailrace saga stuck", "tailrace saga stuck --for 60 --json")
def stuck(*, seconds: int) -> int:
    """Show which steps sagas wait for, and so which participant does not answer; ends with 1 when there are any."""
    with operations.open_sagas(load_deployment()) as readers:
        found = operations.stuck(readers, timedelta(seconds=seconds))
    now = datetime.now(UTC)
    lines = [
        f"{counted(each.sagas, 'saga')} of {each.saga} {each.status} at {each.step}, asked {each.asks}; the oldest, "
        f"{each.example}, changed {age(each.oldest, now)}"
        for each in found
    ]
    tell(found, lines or ["No saga waits for that long."])
    return 1 if found else 0


@saga.command()
@click.option(
    "--for",
    "seconds",
    type=COUNT,
    default=10,
    show_default=True,
    help="End with 1 when a command has waited for so many seconds.",
)
@click.option("-n", "--limit", type=COUNT, default=20, show_default=True)
@json_option
@examples("tailrace saga locks", "tailrace saga locks --for 60 --json")
def locks(*, seconds: int, limit: int) -> int:
    """Show what sagas have locked at participants, since when, and which commands of others wait for it.

    Those come first that most wait for. It ends with 1 when a command has waited for long.
    """
    found = find_locks(load_deployment(), limit)
    now = datetime.now(UTC)
    lines = [locked_line(each, now) for each in found]
    tell(found, lines or ["No saga has locked anything."])
    waits = [now - each.waiting_since for each in found if each.waiting_since]
    return 1 if any(wait >= timedelta(seconds=seconds) for wait in waits) else 0


@saga.command()
@click.argument("lock", metavar="LOCK", type=TEXT)
@click.argument("target", metavar="TARGET", type=TEXT)
@click.option("--consumer", type=TEXT, help="Only at this one.")
@click.option("--why", required=True, type=TEXT, help="Why; it is kept with who did it.")
@who_option
@yes_option
@json_option
@examples("tailrace saga unlock card ada --why 'its saga was killed' --yes")
def unlock(*, lock: str, target: str, consumer: str | None, why: str, who: str, yes: bool) -> None:
    """Free what a saga has locked at a participant, as after it was killed; the first that waits gets it.

    What the saga has done stays done, and is seen by others from then on as if it could not be undone any more. The
    lease frees it by itself.
    """
    deployment = load_deployment()
    locked = find_lock(deployment, lock, target, consumer)
    confirm(f"{locked_line(locked, datetime.now(UTC))}. Free it?", yes=yes)
    done = free(deployment, locked, actor=who, why=why)
    told = f"{lock} {printable(target)} is free; it is written down as unlock {done.unlock_id}."
    tell(done, [told])


@saga.command()
@saga_option
@click.option(
    "--hours",
    type=COUNT,
    default=24,
    show_default=True,
    help="Besides those under way, those that ended in so many hours.",
)
@json_option
@examples("tailrace saga stats", "tailrace saga stats --hours 1 --json")
def stats(*, saga: str | None, hours: int) -> None:
    """Count sagas by version and step: how they stand and how long they took, attempts, timeouts, what they cost."""
    with operations.open_sagas(load_deployment()) as readers:
        found = operations.figures(readers, timedelta(hours=hours), saga)
    lines = [line for each in found for line in _figures(each)]
    tell(found, lines or ["There were no sagas."])


def _asked_for(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what every action about a saga needs."""
    options = (
        id_argument,
        saga_option,
        click.option("--why", required=True, type=TEXT, help="Why; it is kept with the saga."),
        who_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _act(verb: Verb, *, who: str, **about: Any) -> None:
    request = operations.ActionRequest(verb=verb, actor=who, **about)
    with operations.open_sagas(load_deployment()) as readers:
        done = operations.act(readers, request)
    tell(done, [f"{verb}: done, as action {done.action_id}."])


def _action(verb: Verb) -> Callable[..., Any]:
    @click.option("--step", type=TEXT, help="Only this step.")
    @_asked_for
    def act(**about: Any) -> None:
        _act(verb, **about)

    act.__doc__ = operations.ABOUT[verb]
    return act


for _verb in operations.ABOUT:
    saga.command(_verb)(_action(_verb))


@saga.command()
@click.option(
    "--from-step", "step", required=True, type=TEXT, help="The first that is asked again."
)
@click.option("--newest", is_flag=True, help="Go on with the newest version of the definition.")
@_asked_for
@examples(
    "tailrace saga fork 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968 --from-step tickets --why 'they were never sent'"
)
def fork(**about: Any) -> None:
    """Run a saga that has ended once more, from a step on, with what it remembered when that step began.

    What comes before the step stays done. A saga that was undone, or has passed its pivot, is refused where that would
    leave something done twice or for nobody. `tailrace saga show` tells of all its runs.
    """
    _act("fork", **about)


def _figures(of: operations.Figures) -> Iterator[str]:
    cost = f"{of.messages_per_saga:.1f} messages and {of.commits_per_saga:.2f} commits each"
    forked = f" and {counted(of.earlier_runs, 'earlier run')}" if of.earlier_runs else ""
    yield f"{of.saga} {of.version}: {counted(of.sagas, 'saga')}{forked}, {cost}"
    for status, each in of.statuses.items():
        yield f"  {each.sagas} {status}  {_times(each.p50_s, each.p99_s)}"
    for step in of.steps:
        stood = ", ".join(f"{number} {status}" for status, number in step.statuses.items())
        undo = f", {step.undo_attempts} to undo" if step.undo_attempts else ""
        yield (
            f"  {step.step}: {stood}  {counted(step.attempts, 'attempt')}{undo}, {counted(step.timeouts, 'timeout')}"
            f"  {_times(step.p50_s, step.p99_s)}"
        ).rstrip()


def _times(p50_s: float | None, p99_s: float | None) -> str:
    return "" if p50_s is None else f"p50 {p50_s:.3f} s  p99 {p99_s:.3f} s"


def locked_line(each: Locked, now: datetime) -> str:
    held = "free"
    if each.saga_id is not None and each.locked_at and each.held_until:
        told = f" ({each.replies_to})" if each.replies_to else ""
        held = f"held by {each.saga_id}{told} since {age(each.locked_at, now)}, until {local(each.held_until)}"
    line = f"{each.consumer}  {each.lock} {printable(each.target)}  {held}"
    if not each.waiting_since:
        return line
    sagas = ", ".join(each.waiting_sagas or ())
    more = f" and {each.waiting - SHOWN} more" if each.waiting > SHOWN else ""
    return (
        f"{line}; {counted(each.waiting, 'command')} waiting, the first came {age(each.waiting_since, now)}: "
        f"{sagas}{more}"
    )


def _row(each: Found) -> tuple[str, ...]:
    return (
        each.saga_id,
        f"{each.saga} {each.version}",
        _status(each),
        local(each.updated_at),
        ", ".join(each.waits_for),
    )


def _status(each: Found) -> str:
    return f"{each.status} ({each.reason})" if each.reason else each.status


def _line(each: Found) -> str:
    waits = f"  waits for {', '.join(each.waits_for)}" if each.waits_for else ""
    return f"{each.saga_id}  {each.saga} {each.version}  {_status(each)}  {local(each.updated_at)}{waits}"


def _lines(shown: operations.Shown) -> Iterator[str]:
    saga = shown.saga
    yield _line(saga)
    yield f"state: {saga.state}"
    for name, run in saga.steps.items():
        yield f"  {name}: {run['status']}"
    for name in shown.remaining:
        yield f"  {name}: not begun"
    for past in shown.runs:
        reason = f" ({past.reason})" if past.reason else ""
        span = f"{local(past.started_at)} to {local(past.ended_at)}"
        yield f"run {past.run}: version {past.version}  {past.status}{reason}  {span}"
    for each in shown.log:
        yield "  ".join(
            filter(None, (local(each.at), each.what, each.step, each.type, each.detail))
        )
    for action in shown.actions:
        step = f" {action.step}" if action.step else ""
        step += " with the newest version" if action.newest else ""
        outcome = action.outcome or "not yet carried out"
        yield f"{local(action.requested_at)}  {action.actor}: {action.verb}{step}, {action.why}: {outcome}"
