"""The command that mends a lost replication slot: `connector recover`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from cdc import connector as debezium
from cdc.recovery import Recovered
from cdc.slot.health import Diagnosis
from infra.cli.common import Command, confirm, examples, yes_option
from infra.cli.output import as_data, json_option, step, tell, wants_json
from infra.cli.progress import counting, on_stderr
from infra.cli.values import CAPTURE, MOMENT
from infra.deployment.current import load_deployment
from infra.operations.connector import diagnose, recover_slot, worst
from infra.pipeline import send_canary_by
from infra.text import sentence

STEPS = """\
It will stop the connector, make a new slot, publish again exactly those rows of the outboxes that Kafka lacks, put the
new slot in the place of the old one, and start the connector again. Services go on writing meanwhile."""


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Say what is wrong and what would be published.")
@click.option(
    "--since",
    type=MOMENT,
    help="Look only at rows written since, as when the slot was still whole; by default at all that Kafka keeps.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Do it although slot and connector look whole, as when rows are missing; leave out rows that are too large "
    "to be published, which are named.",
)
@click.option(
    "--capture",
    type=CAPTURE,
    help="Whose slot it is, where there are several, such as main_2; by default the first that is not whole.",
)
@yes_option
@json_option
@examples(
    "tailrace connector recover --dry-run",
    "tailrace connector recover --yes",
    "tailrace connector recover --force --since 2026-11-23T10:00",
)
def command(
    *,
    dry_run: bool,
    since: datetime | None,
    force: bool,
    capture: str | None,
    yes: bool,
) -> int:
    """Mend a replication slot that was lost, dropped, moved or made anew, without losing a row.

    A new slot begins now; what was committed before and never came to Kafka is found by comparing the outboxes with
    Kafka, and published again in order, before the connector goes on. May be interrupted, and run again, at any time.
    Does nothing when nothing is wrong.
    """
    deployment = load_deployment()
    where = deployment.find_shard(capture) if capture else worst(deployment)
    ailing = diagnose(deployment, where)
    diagnosis, progress = ailing.diagnosis, on_stderr(counting)
    if diagnosis.ailment is None and not force:
        whole = _as_json(Recovered(), diagnosis, done=False, running=ailing.state.is_running)
        tell(whole, lambda: _show_whole(diagnosis, ailing.state))
        return 0 if ailing.state.is_running else 1
    if not wants_json():
        click.echo(sentence(diagnosis.told))
    if not dry_run:
        confirm(f"{STEPS}\nGo on?", yes=yes)
    found, shards = recover_slot(
        deployment, where, since, progress, step, leave_out=force, dry_run=dry_run
    )
    running = not dry_run or ailing.state.is_running
    result = _as_json(found, diagnosis, done=not dry_run, running=running)
    tell(result, _lines(found, done=not dry_run))
    for each in shards:  # and no other, which may be as ill
        # it proves it, and gives the connector its first position
        send_canary_by(deployment, each)
    return 0


def _show_whole(diagnosis: Diagnosis, state: debezium.ConnectorStatus) -> None:
    click.echo(f"Nothing to recover: {diagnosis.told}.")
    why = f" ({state.cause.text})" if state.cause else ""
    if not state.is_running:
        click.echo(
            f"But the connector is {state.connector} and its task {state.task}{why}: see `tailrace connector "
            "status`, then `tailrace connector apply`. If it fails at the same row again, --force goes around it.",
            err=True,
        )


def _as_json(found: Recovered, diagnosis: Diagnosis, *, done: bool, running: bool) -> Any:
    stand = {"done": done, "running": running, "rows": found.rows}
    return as_data(diagnosis) | stand | as_data(found)


def _lines(found: Recovered, *, done: bool) -> Iterator[str]:
    for each in found.published:
        yield f"  {each.topic}: {each.rows:,} rows, from {each.first} to {each.last}"
    if found.too_old:
        yield (
            f"  {found.too_old:,} rows are older than what Kafka keeps of their partition, so that nobody can tell "
            "whether they were delivered; they were left alone"
        )
    for topic, rows in found.without_topic.items():
        yield f"  {rows:,} rows are for {topic}, which Kafka does not have; they were left alone"
    for large in found.too_large:
        yield f"  {large}, more than a broker takes; it was left out and stays in its outbox"
    if done:
        yield (
            f"Recovered in {found.seconds:.1f} s: {found.rows:,} rows were published again. "
            "`tailrace outbox verify --topic` proves it for a topic."
        )
    else:
        yield f"{found.rows:,} rows would be published again; nothing was done."
