"""The command that says how large an installation has to be: `tailrace size`."""

import click

from infra.cli.common import Command, examples
from infra.cli.output import console, json_option, tell
from infra.cli.values import decimal, whole
from infra.sizing.plan import Load, Plan, plan
from infra.sizing.rates import measured
from infra.tables import table

MOST_PER_S = 100_000_000
DEFAULT = Load(events_per_s=1)


@click.command(cls=Command)
@click.option(
    "--events-per-s",
    type=decimal(0.001, MOST_PER_S, "N"),
    required=True,
    help="Events that are written per second, at the worst time of the day.",
)
@click.option(
    "--event-bytes",
    type=whole(1, 1_048_576),
    default=DEFAULT.event_bytes,
    show_default=True,
    help="Bytes of an event, in Avro.",
)
@click.option(
    "--consumers",
    type=whole(1, 1000),
    default=DEFAULT.consumers,
    show_default=True,
    help="Consumers that take each event.",
)
@click.option(
    "--publisher",
    type=click.Choice(["connector", "relay"]),
    default=DEFAULT.publisher,
    show_default=True,
    help="Who carries the outboxes to Kafka.",
)
@click.option(
    "--replication",
    type=whole(1, 9),
    default=DEFAULT.replication,
    show_default=True,
    help="Copies that Kafka keeps.",
)
@click.option(
    "--topic-hours",
    type=whole(1, 100_000),
    default=DEFAULT.topic_hours,
    show_default=True,
    help="Hours for which Kafka keeps a record.",
)
@click.option(
    "--inbox-days",
    type=whole(1, 400),
    default=DEFAULT.inbox_days,
    show_default=True,
    help="Days for which inboxes remember ids.",
)
@click.option(
    "--share",
    type=decimal(0.05, 1, "N"),
    default=DEFAULT.share,
    show_default=True,
    help="Of what a part carries at most, how much to plan with; the rest works off what waits after a fault.",
)
@click.option(
    "--average",
    type=decimal(0.01, 1, "N"),
    default=DEFAULT.average,
    show_default=True,
    help="Events per second over a whole day, in units of those at the worst time.",
)
@json_option
@examples(
    "tailrace size --events-per-s 200000", "tailrace size --events-per-s 500 --consumers 5 --json"
)
def size(**load: float) -> None:
    """Say how many brokers, captures, shards, partitions and workers a load needs, and how much disk.

    The answer follows from rates that were measured on one machine, which it names, with effects of a row each. It
    tells which part is split first, and whether it is two or two hundred; measure your own handlers before you buy.
    """
    found = plan(Load(**load), measured())  # type: ignore[arg-type]  # by the names of its fields
    tell(found, lambda: _print(found))


def _print(found: Plan) -> None:
    out = console()
    rows = [
        (each.what, f"{each.count:,}", f"{each.one_carries:,.0f}/s", each.because)
        for each in found.needs
    ]
    headings = ("", "needed", "one carries", "because")
    out.print(table(headings, rows, right=headings[1:3], wrap=headings))
    out.print(
        f"Processors: {found.cores:,}. Kafka: {found.kafka_gb:,} GB in all. "
        f"Postgres: {found.postgres_gb_per_day:,} GB more each day, as events stay; inboxes: {found.inbox_gb:,} GB."
    )
    out.print(f"With one of each, the first to be too small: {found.first_limit}.")
    out.print(f"Measured on {found.machine}; see docs/scaling.md.")
