"""Commands about the relay, the publisher that needs no Debezium."""

from dataclasses import asdict
from uuid import UUID

import click
from rich.table import Table
from rich.text import Text

from cdc.causes import in_line
from cdc.relay.backlog import Situation, leave_out, situation
from infra.cli.output import console, duration, json_option, print_json
from infra.errors import TailraceError
from infra.services import RELAY
from infra.settings import load_settings


@click.group()
def relay() -> None:
    """Show what the relay holds and what it still has to publish; leave out what Kafka refuses."""


@relay.command()
@json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show who holds which shards, and what waits in each outbox.

    The work is divided into shards by the keys of the messages; each is held by one relay. What waits is counted from
    the progress that is written down, which lags a tenth of a second behind.

    Ends with 1 when there is a shard that nobody holds, when rows are set aside because Kafka refuses them, or when it
    is not the relay that publishes.
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
        for each in found.set_aside:
            click.echo(f"{each.told}; {each.remedy}.", err=True)
    held = found.shards and all(shard.holder for shard in found.shards)
    context.exit(0 if held and not found.set_aside else 1)


@relay.command()
@click.argument("message_id", type=click.UUID)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
def skip(message_id: UUID, *, yes: bool, as_json: bool) -> None:
    """Leave out for good a row that Kafka refuses; those that wait behind it are published next.

    `relay status` names it. The row stays in its outbox, and consumers never see it.
    """
    if not yes:
        click.confirm(
            f"No consumer will ever see the message {message_id}. Go on?", abort=True, err=True
        )
    left_out = leave_out(load_settings().database_url(RELAY), message_id)
    if left_out is None:
        raise TailraceError(
            f"The message {message_id} is not set aside; `tailrace relay status` names those that are."
        )
    if as_json:
        print_json({"skipped": str(message_id)} | left_out._asdict())
    else:
        key = in_line(left_out.key, 100)
        click.echo(
            f"{message_id} of {left_out.outbox} for {left_out.topic}, key {key}, is left out."
        )


def _holders(found: Situation) -> Table:
    table = _table("relay", "shards")
    for holder in sorted({shard.holder or "" for shard in found.shards}):
        numbers = ", ".join(str(s.number) for s in found.shards if (s.holder or "") == holder)
        table.add_row(holder or Text("nobody", "red"), numbers)
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
    set_aside = [
        asdict(each) | {"first": str(each.first), "since": each.since.isoformat()}
        for each in found.set_aside
    ]
    return asdict(found) | {
        "pending": found.pending,
        "oldest_s": found.oldest_s,
        "set_aside": set_aside,
    }
