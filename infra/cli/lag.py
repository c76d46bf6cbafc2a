"""The command that shows how far consumers are behind."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from consumers.runtime.lag import PartitionLag, TopicLag
from infra.cli.common import Command, examples
from infra.cli.output import as_data, console, json_option, tell, wants_json
from infra.cli.values import CONSUMER
from infra.deployment.current import load_deployment
from infra.operations.lag import open_lags
from infra.tables import FittingTable, table
from infra.text import duration

WATCH_EVERY_S = 2.0
COUNTED = ("messages behind", "for", "lost", "duplicates", "parked", "dead")


@click.command(cls=Command)
@click.argument("consumers", nargs=-1, type=CONSUMER, metavar="[CONSUMER]...")
@click.option("--partitions", "by_partition", is_flag=True, help="A line for each partition.")
@click.option("-w", "--watch", is_flag=True, help="Measure again every 2 seconds until Ctrl-C.")
@click.option(
    "--settle",
    is_flag=True,
    help="Note that somebody has looked into what was lost: doctor and lag stop telling of it.",
)
@json_option
@examples(
    "tailrace lag",
    "tailrace lag payments-worker --partitions",
    "tailrace lag --watch",
    "tailrace lag payments-worker --settle",
)
def lag(
    *,
    consumers: Sequence[str],
    by_partition: bool,
    watch: bool,
    settle: bool,
) -> None:
    """Show how far each CONSUMER, or every one, is behind in its topics.

    The position is the one in the database, which decides; the end is Kafka's. A consumer is behind by the records that
    lie between, for as long as the oldest of them is old. With --json and --watch, one object a line.

    Where records were deleted unread, or a topic was deleted and made anew, that is told of until --settle.
    """
    if settle and not consumers:
        raise click.UsageError("--settle needs the CONSUMER that is meant.")
    with open_lags(load_deployment()) as lags:
        lags.require_known(consumers)
        if settle:
            lags.settle(consumers)
        if not watch:
            measured = lags.measure(consumers)
            tell(_as_json(measured), [_shown(measured, by_partition=by_partition)])
            return
        with _screen(by_partition=by_partition) as show:
            try:
                while True:
                    show(lags.measure(consumers))
                    time.sleep(WATCH_EVERY_S)
            except KeyboardInterrupt:
                return


def _shown(lags: Sequence[TopicLag], *, by_partition: bool) -> RenderableType:
    measured = _table(lags, by_partition=by_partition)
    resets = [Text(f"{each.consumer}: {reset}") for each in lags for reset in each.resets]
    return Group(measured, "", *resets) if resets else measured


@contextmanager
def _screen(*, by_partition: bool) -> Iterator[Callable[[Sequence[TopicLag]], None]]:
    out = console()
    if wants_json():
        yield lambda lags: click.echo(json.dumps({"lags": _as_json(lags)}))
    elif out.is_terminal:
        with Live(console=out, auto_refresh=False) as live:
            yield lambda lags: _update(live, lags, by_partition=by_partition)
    else:
        yield lambda lags: out.print(_shown(lags, by_partition=by_partition), "")


def _update(live: Live, lags: Sequence[TopicLag], *, by_partition: bool) -> None:
    """Put figures in the place of those before; they stand below each other where the terminal is too narrow."""
    out, shown = live.console, _shown(lags, by_partition=by_partition)
    if _table(lags, by_partition=by_partition).least_width(out) <= out.width:
        live.update(shown, refresh=True)
    else:
        out.print(shown, "")


def _table(lags: Sequence[TopicLag], *, by_partition: bool) -> FittingTable:
    right = (*(("partition", "position", "end") if by_partition else ()), *COUNTED)
    rows = _by_partition(lags) if by_partition else _by_topic(lags)
    return table(("consumer", "topic", *right), rows, right=right)


def _by_topic(lags: Sequence[TopicLag]) -> Iterator[Sequence[RenderableType]]:
    for each in lags:
        yield (each.consumer, each.topic, *_measured(each), *_parked(each))


def _by_partition(lags: Sequence[TopicLag]) -> Iterator[Sequence[RenderableType]]:
    for each in lags:
        for number, partition in enumerate(each.partitions):
            where = (
                str(partition.partition),
                "none" if partition.position is None else str(partition.position),
                "gone" if partition.end is None else str(partition.end),
            )
            # what is parked is counted by topic, and told once
            counts = _parked(each) if number == 0 else ("", "")
            yield (each.consumer, each.topic, *where, *_measured(partition), *counts)


def _measured(lag: TopicLag | PartitionLag) -> tuple[RenderableType, ...]:
    lost = Text(f"{lag.lost:,}", "red" if lag.lost else "dim")
    return _messages(lag.messages), _age(lag.seconds), lost, _dim(lag.duplicates)


def _parked(each: TopicLag) -> tuple[Text, Text]:
    return _dim(each.parked), Text(str(each.dead), "red") if each.dead else _dim(0)


def _messages(number: int | None) -> Text:
    if number is None:
        return Text("topic gone")
    return Text(f"{number:,}", "yellow") if number else _dim(0)


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds:.1f} s" if 0 < seconds < 10 else duration(int(seconds))


def _dim(number: int) -> Text:
    return Text(f"{number:,}", "" if number else "dim")


def _as_json(lags: Sequence[TopicLag]) -> list[dict[str, Any]]:
    return [
        as_data(each)
        | {
            "messages": each.messages,
            "seconds": each.seconds,
            "duplicates": each.duplicates,
            "lost": each.lost,
            "resets": each.resets,
        }
        for each in lags
    ]
