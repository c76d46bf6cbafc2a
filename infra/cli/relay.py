"""Commands about the relay, the publisher that needs no Debezium."""

from collections.abc import Iterator
from uuid import UUID

import click
from rich.console import RenderableType
from rich.text import Text

from cdc.causes import in_line
from cdc.relay.backlog import Situation
from infra.cli.common import Group, confirm, yes_option
from infra.cli.output import as_data, console, json_option, tell
from infra.deployment.current import load_deployment
from infra.operations.relay import is_well, leave_out, report
from infra.tables import table
from infra.text import duration


@click.group(cls=Group)
def relay() -> None:
    """Show what the relay holds and what it still has to publish; leave out what Kafka refuses."""


@relay.command()
@json_option
def status() -> int:
    """Show who holds which shards, and what waits in each outbox.

    The work is divided into shards by the keys of the messages; each is held by one relay. What waits is counted from
    the progress that is written down, which lags a tenth of a second behind.

    Ends with 1 when there is a shard that nobody holds, when rows are set aside because Kafka refuses them, or when it
    is not the relay that publishes.
    """
    found = report(load_deployment())
    totals = {"pending": found.pending, "oldest_s": found.oldest_s}
    tell(as_data(found) | totals, lambda: _show(found))
    return 0 if is_well(found) else 1


@relay.command()
@click.argument("message_id", type=click.UUID)
@yes_option
@json_option
def skip(message_id: UUID, *, yes: bool) -> None:
    """Leave out for good a row that Kafka refuses; those that wait behind it are published next.

    `relay status` names it. The row stays in its outbox, and consumers never see it.
    """
    confirm(f"No consumer will ever see the message {message_id}. Go on?", yes=yes)
    left_out = leave_out(load_deployment(), message_id)
    key = in_line(left_out.key, 100)
    line = f"{message_id} of {left_out.outbox} for {left_out.topic}, key {key}, is left out."
    tell({"skipped": message_id} | left_out._asdict(), [line])


def _show(found: Situation) -> None:
    if not found.shards:
        click.echo("It is not the relay that publishes; `make up PUBLISHER=relay` changes that.")
        return
    out = console()
    out.print(table(("relay", "shards"), _holders(found), wrap=("shards",)))
    out.print()
    out.print(table(("outbox", "pending", "oldest"), _backlogs(found)))
    for each in found.set_aside:
        click.echo(f"{each.told}; {each.remedy}.", err=True)


def _holders(found: Situation) -> Iterator[tuple[RenderableType, ...]]:
    for holder in sorted({shard.holder or "" for shard in found.shards}):
        numbers = ", ".join(str(s.number) for s in found.shards if (s.holder or "") == holder)
        yield (holder or Text("nobody", "red"), numbers)


def _backlogs(found: Situation) -> Iterator[tuple[str, ...]]:
    for backlog in found.backlogs:
        age = "" if backlog.oldest_s is None else duration(int(backlog.oldest_s))
        yield (backlog.outbox, f"{backlog.pending:,}", age)
