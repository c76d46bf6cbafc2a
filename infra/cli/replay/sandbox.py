"""Replaying into a sandbox: made, filled, compared, and dropped or kept."""

import asyncio
import gc

import click

from consumers.replay.errors import ChoiceError, EmptyRangeError, ReplayError
from consumers.replay.sandbox import SandboxInfo, list_sandboxes
from consumers.replay.sandboxed import Outcome, SandboxReplay, Subject
from infra.cli.output import console, print_json
from infra.cli.progress import working
from infra.cli.replay.request import Request
from infra.cli.replay.text import announcement, outcome_as_json, outcome_lines
from infra.replay import leave_to_the_report
from infra.settings import Settings

ROWS_SHOWN = 20
ROWS_IN_JSON = 1000


def into_sandbox(request: Request) -> int:
    """Replay, compare, report; return 0 when the sandbox is what is live, 1 when it is not."""
    assert request.subject is not None  # noqa: S101 - a request for a sandbox has one
    info = _info(request, request.subject)
    replay = SandboxReplay(request.subject, request.selection, request.plan, info)
    if not request.quiet:
        click.echo(announcement(request.plan), err=True)
        if request.state.code:
            click.echo(f"With the handlers of {request.state.code}.", err=True)
    leave_to_the_report()
    gc.freeze()
    try:
        outcome = asyncio.run(_run(request, replay))
    except (ChoiceError, EmptyRangeError):
        asyncio.run(replay.drop())
        request.forget()
        raise
    except (KeyboardInterrupt, ReplayError):
        if request.state.target:
            click.echo(_how_to_go_on(request, info), err=True)
        raise
    request.forget()
    kept = bool(request.asked["keep"])
    asyncio.run(replay.keep() if kept else replay.drop())
    _report(request, outcome, info, kept=kept)
    return 0 if outcome.is_good else 1


async def _run(request: Request, replay: SandboxReplay) -> Outcome:
    if not request.is_resumed:
        await replay.make()
        request.state.target = replay.name
        request.save()
    rows = request.asked["rows"]
    most_rows = (ROWS_IN_JSON if request.quiet else ROWS_SHOWN) if rows is None else rows
    shown = not request.quiet
    with working(console(stderr=True), "replayed", request.plan.total, shown=shown) as show:
        return await replay.run(
            lambda moved: show(moved.read), rate=request.asked["rate"], most_rows=most_rows
        )


def _info(request: Request, subject: Subject) -> SandboxInfo:
    state = request.state
    if not request.is_resumed:
        return SandboxInfo.new(state.run_id, subject.name, subject.role)
    found = {each.info.name: each.info for each in list_sandboxes(subject.owner_url)}
    if state.target not in found:
        request.forget()
        raise ReplayError(
            f"the sandbox {state.target} of the replay {state.run_id} was dropped; begin anew"
        )
    return found[state.target]


def _report(request: Request, outcome: Outcome, info: SandboxInfo, *, kept: bool) -> None:
    if request.quiet:
        told = outcome_as_json(outcome, request.plan, request.selection, kept=kept)
        print_json(told | {"code": request.state.code})
        return
    for line in outcome_lines(outcome):
        click.echo(line)
    if kept:
        assert request.subject is not None  # noqa: S101 - see above
        click.echo(_how_to_look(request.settings, request.subject, info))


def _how_to_go_on(request: Request, info: SandboxInfo) -> str:
    return (
        f"The sandbox {info.name} is left as it is. {request.how_to_resume()} "
        f"`tailrace replay drop {info.name}` drops it."
    )


def _how_to_look(settings: Settings, subject: Subject, info: SandboxInfo) -> str:
    return (
        f"The sandbox is kept. Look around in it with\n"
        f"  PGOPTIONS='-c search_path={info.name}' psql '{settings.database_url(subject.role)}'\n"
        f"and drop it with `tailrace replay drop {info.name}`; `tailrace replay sandboxes` lists all there are."
    )
