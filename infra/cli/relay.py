"""Commands about the relay, the publisher that needs no Debezium."""

from dataclasses import asdict

import click
from rich.table import Table

from cdc.relay.backlog import Situation, situation
from infra.cli.output import console, duration, json_option, print_json
from infra.services import RELAY
from infra.settings import load_settings


@click.group()
def relay() -> None:
    """Show what the relay holds, and what it still has to publish."""


@relay.command()
@json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show who holds which shards, and what waits in each outbox.

    The work is divided into shards by the keys of the messages; each is held by one relay. What waits is counted from
    the progress that is written down, which lags a tenth of a second behind.

    Ends with 1 when there is a shard that nobody holds, or when it is not the relay that publishes.
    """
    found = situation(load_settings().database_url(RELAY))
    if as_json:
        print_json(_as_json(found))
    elif not found.shards:
        click.echo("It is not the relay that publishes; `make up PUBLISHER=relay` changes that.")
    else:
        console().print(_holders(found))
        console().print()
        console().print(_backlogs(found))
    context.exit(0 if found.shards and all(shard.holder for shard in found.shards) else 1)


def _holders(found: Situation) -> Table:
    table = _table("relay", "shards")
    for holder in sorted({shard.holder or "" for shard in found.shards}):
        numbers = ", ".join(str(s.number) for s in found.shards if (s.holder or "") == holder)
        table.add_row(holder or "[red]nobody[/]", numbers)
    return table


def _backlogs(found: Situation) -> Table:
    table = _table("outbox", "pending", "oldest")
    for backlog in found.backlogs:
        age = "" if backlog.oldest_s is None else duration(int(backlog.oldest_s))
        table.add_row(backlog.outbox, f"{backlog.pending:,}", age)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in headings:
        table.add_column(heading)
    return table


def _as_json(found: Situation) -> dict[str, object]:
    return asdict(found) | {"pending": found.pending, "oldest_s": found.oldest_s}
