"""What `tailrace replay` does: decide what is meant, make sure of it, replay, report."""

import asyncio
import gc
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from consumers.replay.engine import Moved, count
from consumers.replay.errors import EmptyRangeError, ReplayError
from consumers.replay.outside import CapturedOutside
from consumers.replay.plan import as_json, make_plan, open_source, places_of
from consumers.replay.sandbox import SandboxInfo, list_sandboxes
from consumers.replay.sandboxed import Outcome, SandboxReplay, Subject
from consumers.replay.selection import Selection
from consumers.replay.source import Plan
from consumers.replay.state import RunState, new_run_id
from consumers.runtime.store import Place
from infra.cli.output import console, print_json
from infra.cli.progress import working
from infra.cli.replay_options import selection_of
from infra.cli.replay_text import (
    announcement,
    outcome_as_json,
    outcome_lines,
    plan_as_json,
    plan_table,
)
from infra.replay import UnknownConsumerError, find_worker, log_url, states, subject_of
from infra.settings import Settings, load_settings
from schemas.codec import Codec
from schemas.registry import SchemaStore

CHOICES = ("topics", "start", "end", "keys", "types", "ids", "where", "consumer", "source", "rows")
ROWS_SHOWN = 20
ROWS_IN_JSON = 1000


def start(asked: Mapping[str, Any]) -> int:
    """Do what the options ask for, and return the exit code."""
    settings = load_settings()
    if asked["resume"]:
        return _resume(settings, asked)
    subject = _subject(settings, asked["consumer"])
    selection = _selection(asked, subject)
    if asked["dry_run"]:
        return _count(settings, selection, asked)
    if subject is None:
        raise click.UsageError("Say whose handlers are called: --consumer analytics.")
    plan = _plan(settings, selection, asked)
    return _replay(_Run.new(settings, subject, selection, plan, asked))


@dataclass(slots=True)
class _Run:
    """A replay into a sandbox, new or resumed."""

    settings: Settings
    subject: Subject
    selection: Selection
    plan: Plan
    state: RunState
    info: SandboxInfo
    asked: Mapping[str, Any]
    is_resumed: bool = False

    @classmethod
    def new(
        cls,
        settings: Settings,
        subject: Subject,
        selection: Selection,
        plan: Plan,
        asked: Mapping[str, Any],
    ) -> "_Run":
        run_id = new_run_id()
        info = SandboxInfo.new(run_id, subject.name, subject.role)
        state = RunState(
            run_id=run_id,
            mode="sandbox",
            asked=_plain(asked),
            plan=as_json(plan),
            target=info.name,
        )
        return cls(settings, subject, selection, plan, state, info, asked)


def _replay(run: _Run) -> int:
    as_json = run.asked["as_json"]
    if not as_json:
        click.echo(announcement(run.plan), err=True)
    replay = SandboxReplay(run.subject, run.selection, run.plan, run.info)
    kept = bool(run.asked["keep"])
    gc.freeze()
    try:
        outcome = asyncio.run(_into_sandbox(run, replay))
    except EmptyRangeError:
        asyncio.run(replay.drop())
        states(run.settings).forget(run.state.run_id)
        raise
    except (KeyboardInterrupt, ReplayError):
        click.echo(_how_to_resume(run), err=True)
        raise
    states(run.settings).forget(run.state.run_id)
    asyncio.run(replay.keep() if kept else replay.drop())
    if as_json:
        print_json(outcome_as_json(outcome, run.plan, run.selection, kept=kept, code=None))
    else:
        for line in outcome_lines(outcome):
            click.echo(line)
        if kept:
            click.echo(_how_to_look(run))
    return 0 if outcome.is_good else 1


async def _into_sandbox(run: _Run, replay: SandboxReplay) -> Outcome:
    if not run.is_resumed:
        await replay.make()
        states(run.settings).save(run.state)
    as_json, rows = run.asked["as_json"], run.asked["rows"]
    most_rows = (ROWS_IN_JSON if as_json else ROWS_SHOWN) if rows is None else rows
    total = sum(each.count for each in run.plan.ranges)
    with working(console(stderr=True), "replayed", total, shown=not as_json) as show:

        def tell(moved: Moved) -> None:
            show(moved.read)

        return await replay.run(tell, rate=run.asked["rate"], most_rows=most_rows)


def _resume(settings: Settings, asked: Mapping[str, Any]) -> int:
    state = states(settings).load(asked["resume"])
    merged = {**asked, **state.asked}
    subject = _subject(settings, merged["consumer"])
    if subject is None:
        raise ReplayError(f"the replay {state.run_id} does not say whose handlers it calls")
    found = {each.info.name: each.info for each in list_sandboxes(subject.owner_url)}
    if state.target not in found:
        states(settings).forget(state.run_id)
        raise ReplayError(
            f"the sandbox {state.target} of the replay {state.run_id} was dropped; begin anew"
        )
    run = _Run(
        settings,
        subject,
        _selection(merged, subject),
        state.planned(),
        state,
        found[state.target],
        merged,
        is_resumed=True,
    )
    return _replay(run)


def _count(settings: Settings, selection: Selection, asked: Mapping[str, Any]) -> int:
    plan = _plan(settings, selection, asked)
    counts: dict[Place, int] = {each.place: each.count for each in plan.ranges}
    if selection.is_filtered:
        counts = asyncio.run(_count_chosen(settings, selection, plan, quiet=asked["as_json"]))
    if asked["as_json"]:
        print_json(plan_as_json(plan, selection, counts))
        return 0
    click.echo(announcement(plan))
    console().print(plan_table(plan, counts))
    click.echo(f"{sum(counts.values()):,} messages would be replayed.")
    return 0


async def _count_chosen(
    settings: Settings, selection: Selection, plan: Plan, *, quiet: bool
) -> dict[Place, int]:
    codec = Codec(SchemaStore(settings.registry_url, settings.schema_cache), ())
    source = open_source(plan, selection, settings.kafka_bootstrap, _logs(settings), codec)
    try:
        with working(console(stderr=True), "looked at", plan.total, shown=not quiet) as show:
            return await count(source, places_of(plan), lambda moved: show(moved.read))
    finally:
        source.close()


def _plan(settings: Settings, selection: Selection, asked: Mapping[str, Any]) -> Plan:
    return make_plan(
        settings.kafka_bootstrap, _logs(settings), selection, datetime.now(UTC), asked["source"]
    )


def _subject(settings: Settings, name: str | None) -> Subject | None:
    if name is None:
        return None
    try:
        return subject_of(settings, find_worker(name))
    except UnknownConsumerError as error:
        raise click.UsageError(str(error)) from error


def _selection(asked: Mapping[str, Any], subject: Subject | None) -> Selection:
    if subject is None:
        return selection_of(asked)
    reads = subject.build(subject.url, CapturedOutside()).topics
    selection = selection_of(asked, reads)
    if foreign := [topic for topic in selection.topics if topic not in reads]:
        raise click.UsageError(
            f"{subject.name} does not read {', '.join(foreign)}; it reads {', '.join(reads)}."
        )
    return selection


def _logs(settings: Settings) -> Any:
    return lambda owner: log_url(settings, owner)


def _plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are needed to go on, as JSON holds them."""
    kept = {name: asked[name] for name in (*CHOICES, "keep", "rate")}
    return kept | {"ids": [str(each) for each in asked["ids"]]}


def _how_to_resume(run: _Run) -> str:
    return (
        f"Interrupted. The sandbox {run.info.name} is kept: `tailrace replay --resume {run.state.run_id}` goes on "
        f"where it stands, `tailrace replay drop {run.info.name}` drops it."
    )


def _how_to_look(run: _Run) -> str:
    url = run.settings.database_url(run.subject.role)
    return (
        f"The sandbox is kept. Look around in it with\n"
        f"  PGOPTIONS='-c search_path={run.info.name}' psql '{url}'\n"
        f"and drop it with `tailrace replay drop {run.info.name}`; `tailrace replay sandboxes` lists all there are."
    )
