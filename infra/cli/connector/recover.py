"""The command that mends a lost replication slot: `connector recover`."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from cdc import connector as debezium
from cdc.recovery import Capture, Recovered, recover, rehearse
from cdc.slot.health import Ailment, Diagnosis
from infra.capture import connector_settings, examine, outbox_urls
from infra.cli.output import console, json_option, print_json
from infra.cli.progress import counting
from infra.cli.schema.baseline import examples
from infra.cli.values import MOMENT
from infra.local.pipeline import send_canary
from infra.local.publishing import require_connector
from infra.services import CAPTURE
from infra.settings import Settings, load_settings

STEPS = """\
It will stop the connector, make a new slot, publish again exactly those rows of the outboxes that Kafka lacks, put the
new slot in the place of the old one, and start the connector again. Services go on writing meanwhile."""


@click.command()
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
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
@examples(
    "tailrace connector recover --dry-run",
    "tailrace connector recover --yes",
    "tailrace connector recover --force --since 2026-11-23T10:00",
)
def command(
    context: click.Context,
    /,
    *,
    dry_run: bool,
    since: datetime | None,
    force: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Mend a replication slot that was lost, dropped, moved or made anew, without losing a row.

    A new slot begins now; what was committed before and never came to Kafka is found by comparing the outboxes with
    Kafka, and published again in order, before the connector goes on. May be interrupted, and run again, at any time.
    Does nothing when nothing is wrong.
    """
    settings = require_connector(load_settings())
    diagnosis = examine(settings)
    if diagnosis.ailment is None and not force:
        context.exit(_tell_whole(settings, diagnosis, as_json=as_json))
    if not as_json:
        click.echo(f"{diagnosis.told[0].upper()}{diagnosis.told[1:]}.")
    capture = _capture(settings)
    if dry_run:
        found = rehearse(capture, since, _progress(as_json=as_json))
        running = debezium.status(settings.connect_url, debezium.NAME).is_running
        _report(found, diagnosis, done=False, running=running, as_json=as_json)
        return
    if not yes:
        click.confirm(f"{STEPS}\nGo on?", abort=True, err=True)
    found = recover(
        capture,
        since,
        _progress(as_json=as_json),
        _teller(as_json=as_json),
        leave_out=force,
    )
    _report(found, diagnosis, done=True, running=True, as_json=as_json)
    send_canary(settings)  # which proves it, and gives the connector its first position


def _capture(settings: Settings) -> Capture:
    config = connector_settings(settings)
    return Capture(
        url=settings.database_url(CAPTURE),
        slot=config.slot,
        connect_url=settings.connect_url,
        config=debezium.render(config),
        bootstrap=settings.kafka_bootstrap,
        outboxes=outbox_urls(settings),
    )


def _tell_whole(settings: Settings, diagnosis: Diagnosis, *, as_json: bool) -> int:
    """Say that there is nothing to recover, and whether the connector has another trouble; return the exit status."""
    state = debezium.status(settings.connect_url, debezium.NAME)
    why = f" ({state.cause.text})" if state.cause else ""
    if as_json:
        print_json(_as_data(Recovered(), diagnosis, done=False, running=state.is_running))
    else:
        click.echo(f"Nothing to recover: {diagnosis.told}.")
        if not state.is_running:
            click.echo(
                f"But the connector is {state.connector} and its task {state.task}{why}: see `tailrace connector "
                "status`, then `tailrace connector apply`. If it fails at the same row again, --force goes around it.",
                err=True,
            )
    return 0 if state.is_running else 1


def _progress(*, as_json: bool) -> Any:
    out = console(stderr=True)
    return lambda words, total: counting(out, words, total, shown=not as_json)


def _teller(*, as_json: bool) -> Any:
    return (lambda _: None) if as_json else (lambda line: click.echo(f"  {line}"))


def _as_data(
    found: Recovered, diagnosis: Diagnosis, *, done: bool, running: bool
) -> dict[str, Any]:
    ailment: Ailment | None = diagnosis.ailment
    return {
        "ailment": ailment,
        "told": diagnosis.told,
        "done": done,
        "running": running,
        "rows": found.rows,
        "published": [
            asdict(each) | {"first": str(each.first), "last": str(each.last)}
            for each in found.published
        ],
        "too_old": found.too_old,
        "without_topic": found.without_topic,
        "too_large": [
            asdict(each) | {"message_id": str(each.message_id)} for each in found.too_large
        ],
        "seconds": found.seconds,
    }


def _report(
    found: Recovered, diagnosis: Diagnosis, *, done: bool, running: bool, as_json: bool
) -> None:
    if as_json:
        print_json(_as_data(found, diagnosis, done=done, running=running))
        return
    for each in found.published:
        click.echo(f"  {each.topic}: {each.rows:,} rows, from {each.first} to {each.last}")
    if found.too_old:
        click.echo(
            f"  {found.too_old:,} rows are older than what Kafka keeps of their partition, so that nobody can tell "
            "whether they were delivered; they were left alone",
        )
    for topic, rows in found.without_topic.items():
        click.echo(
            f"  {rows:,} rows are for {topic}, which Kafka does not have; they were left alone"
        )
    for large in found.too_large:
        click.echo(f"  {large}, more than a broker takes; it was left out and stays in its outbox")
    if done:
        click.echo(
            f"Recovered in {found.seconds:.1f} s: {found.rows:,} rows were published again. "
            "`tailrace outbox verify --topic` proves it for a topic."
        )
    else:
        click.echo(f"{found.rows:,} rows would be published again; nothing was done.")
