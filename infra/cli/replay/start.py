"""What `tailrace replay` does first: find out what is asked for, and count it if no more is wanted."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from consumers.replay.engine import count
from consumers.replay.plan import open_source, places_of
from consumers.replay.selection import Selection
from consumers.replay.source import Plan
from consumers.runtime.store import Place
from infra.cli.output import console, print_json
from infra.cli.progress import working
from infra.cli.replay.code import current_code, replay_with
from infra.cli.replay.live import into_live
from infra.cli.replay.request import (
    Request,
    new_request,
    plan_for,
    resumed_request,
    selection_for,
    subject_named,
)
from infra.cli.replay.sandbox import into_sandbox
from infra.cli.replay.text import announcement, plan_as_json, plan_table
from infra.cli.replay.topic import into_topic
from infra.replay import log_url
from infra.settings import Settings, load_settings
from schemas.codec import Codec
from schemas.registry import SchemaStore


def start(asked: Mapping[str, Any]) -> int:
    """Do what the options ask for, and return the exit code.

    Raises:
        click.UsageError: they contradict each other.
    """
    _require_one_aim(asked)
    settings = load_settings()
    if asked["resume"]:
        return _go_on(settings, asked)
    if asked["dry_run"]:
        selection = selection_for(asked, subject_named(settings, asked["consumer"]))
        return _count(settings, selection, asked)
    if asked["code"]:
        return replay_with(settings, asked["code"], asked)
    if asked["to_topic"]:
        return _go(new_request(settings, asked, "topic", asked["to_topic"]))
    return _go(new_request(settings, asked, "live" if asked["live"] else "sandbox", ""))


def _go(request: Request) -> int:
    aims = {"sandbox": into_sandbox, "topic": into_topic, "live": into_live}
    return aims[request.state.mode](request)


def _go_on(settings: Settings, asked: Mapping[str, Any]) -> int:
    request = resumed_request(settings, asked)
    code = request.state.code
    if code and code != current_code():
        # what it is called by stands in front of the commit it was then
        ref = code.partition(" ")[0]
        return replay_with(settings, ref, {**asked, "resume": request.state.run_id})
    return _go(request)


def _require_one_aim(asked: Mapping[str, Any]) -> None:
    aims = [
        option
        for option, name in (
            ("--into", "into"),
            ("--to-topic", "to_topic"),
            ("--live", "live"),
            ("--resume", "resume"),
        )
        if asked[name]
    ]
    if len(aims) > 1:
        raise click.UsageError(f"{' and '.join(aims)} exclude each other.")
    if asked["force"] and not asked["live"]:
        raise click.UsageError("--force goes with --live: a sandbox has taken nothing before.")
    if asked["force"] and not asked["why"]:
        raise click.UsageError("--force wants --why: it is what others will find on record.")
    if asked["code"] and (asked["live"] or asked["to_topic"] or asked["dry_run"]):
        raise click.UsageError("--code goes with a sandbox only: it is for trying handlers out.")
    if asked["create"] and not asked["to_topic"]:
        raise click.UsageError("--create goes with --to-topic.")


def _count(settings: Settings, selection: Selection, asked: Mapping[str, Any]) -> int:
    plan = plan_for(settings, selection, asked)
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
    logs = partial(log_url, settings)
    source = open_source(plan, selection, settings.kafka_bootstrap, logs, codec)
    try:
        with working(console(stderr=True), "looked at", plan.total, shown=not quiet) as show:
            return await count(source, places_of(plan), lambda moved: show(moved.read))
    finally:
        source.close()
