"""What `tailrace replay` does with its options, and what it prints."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

from cdc.reconciliation import Progress
from consumers.replay.errors import ReplayError
from infra.cli.common import confirm
from infra.cli.output import tell, wants_json
from infra.cli.progress import on_stderr, working
from infra.cli.replay import text
from infra.cli.values import bound
from infra.deployment import Deployment
from infra.deployment.current import load_deployment
from infra.operations.replay import jobs
from infra.operations.replay.code import find_code, other_code, replay_with
from infra.operations.replay.jobs import telling
from infra.operations.replay.live import LiveResult, into_live
from infra.operations.replay.request import ReplayRequest
from infra.operations.replay.run import Run, begin, count_messages, resume
from infra.operations.replay.sandbox import ROWS_SHOWN, find_sandbox, into_sandbox
from infra.operations.replay.topic import into_topic, require_target
from infra.text import counted
from schemas.catalogue import catalogue

ROWS_IN_JSON = 1000


def start(
    *,
    start: Sequence[str],
    end: Sequence[str],
    yes: bool,
    background: bool,
    progress: Path | None,
    **options: Any,
) -> int:
    begins, ends = bound("--from", start), bound("--to", end)
    request = ReplayRequest(start=begins, end=ends, **options)
    deployment = load_deployment()
    if background:
        job = jobs.start(deployment, request)
        line = f"The replay {job.job_id} goes on by itself; `tailrace replay jobs` shows how far it is."
        tell(job, [line])
        return 0
    show = telling(progress) if progress else on_stderr(working)
    shown = ["--json"] if wants_json() else []
    if request.resume:
        run = resume(deployment, request)
        if code := other_code(run.state):
            again = replace(request, resume=run.state.run_id)
            return replay_with(deployment, code, again, run.request.consumer, shown)
    elif request.dry_run:
        return _count(deployment, request, show)
    elif request.code:
        return replay_with(deployment, find_code(request.code), request, request.consumer, shown)
    else:
        run = begin(deployment, request)
    if run.state.mode == "sandbox":
        return _into_sandbox(run, show)
    into = _into_topic if run.state.mode == "topic" else _into_live
    return into(run, show, yes=yes)


def _count(deployment: Deployment, request: ReplayRequest, show: Progress) -> int:
    found = count_messages(deployment, request, show)
    shown: list[RenderableType] = [
        text.announcement(found.plan),
        text.plan_table(found),
        f"{sum(found.counts.values()):,} messages would be replayed.",
    ]
    tell(text.plan_as_json(found), shown)
    return 0


def _announce(run: Run) -> None:
    if not wants_json():
        click.echo(text.announcement(run.plan), err=True)
        if run.state.code:
            click.echo(f"With the handlers of {run.state.code}.", err=True)


def _into_sandbox(run: Run, show: Progress) -> int:
    info = find_sandbox(run)
    _announce(run)
    with _resumable(run):
        outcome = into_sandbox(run, info, show, ROWS_IN_JSON if wants_json() else ROWS_SHOWN)
    look = [text.how_to_look(run)] if run.request.keep else []
    tell(text.outcome_as_json(run, outcome), [*text.outcome_lines(outcome), *look])
    return 0 if outcome.is_good else 1


def _into_topic(run: Run, show: Progress, *, yes: bool) -> int:
    require_target(run)
    _announce(run)
    target = run.state.target
    if declared := catalogue().topics.get(target):
        readers = ", ".join(declared.consumers) or "nobody of ours"
        confirm(
            f"Publish to {target}, which is fed by {declared.owner} and read by {readers}? Live consumers take what "
            "they have not taken.",
            yes=yes,
        )
    with _resumable(run):
        done = into_topic(run, show)
    tell(done, [f"{counted(done.messages, 'message')} published to {done.topic}."])
    return 0


def _into_live(run: Run, show: Progress, *, yes: bool) -> int:
    _announce(run)
    confirm(text.live_question(run), yes=yes)
    with _resumable(run):
        done = into_live(run, show)
    tell(done, lambda: _show_live(done))
    return 1 if done.parked else 0


def _show_live(done: LiveResult) -> None:
    click.echo(
        f"{counted(done.messages, 'message')} redelivered: {done.applied:,} took effect, "
        f"{done.duplicates:,} had been taken before, {done.parked:,} parked."
    )
    if done.too_old:
        click.echo(
            f"{counted(done.too_old, 'message')} left out: older than the inbox remembers, so that nobody knows "
            "whether they took effect. Look in the consumer's tables; --force makes them take effect.",
            err=True,
        )


@contextmanager
def _resumable(run: Run) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, ReplayError):
        if run.is_saved:
            click.echo(text.how_to_resume(run.state), err=True)
        raise
