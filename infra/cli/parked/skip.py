"""The command that takes messages out for good: `parked skip`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import click

from consumers.runtime.parked.acting import Actions, By, Done, busy
from consumers.runtime.parked.message import RecordPlace
from consumers.runtime.parked.selection import Selection
from infra.cli.output import json_option, print_json
from infra.cli.parked.access import (
    Chosen,
    choose,
    confirm,
    one_at,
    open_desks,
    require_selection,
)
from infra.cli.parked.options import (
    acting,
    all_option,
    optional_place_argument,
    selecting,
    waiting_option,
    yes_option,
)
from infra.cli.parked.text import counted
from infra.cli.schema.baseline import examples
from infra.settings import load_settings


@click.command()
@optional_place_argument
@selecting
@waiting_option
@all_option
@acting
@yes_option
@json_option
@click.pass_context
@examples(
    "tailrace parked skip order.events/3/17 --why 'a test order'",
    "tailrace parked skip --key 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968 --waiting --why 'the order was settled by hand'",
)
def skip(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    *,
    place: RecordPlace | None,
    selection: Selection,
    waiting: bool,
    everything: bool,
    by: By,
    yes: bool,
    as_json: bool,
) -> None:
    """Take the message at PLACE, or all that the filters choose, out for good.

    What is skipped never takes effect. It is kept whole with the note of who did it and why, which `tailrace parked
    show` and `history` show. What waited behind it is tried next, unless --waiting has it skipped as well.
    """
    require_selection(place, selection, everything=everything)
    if place and waiting:
        raise click.UsageError("A PLACE is one message; --waiting goes with filters.")
    with open_desks(load_settings(), selection.consumer) as desks:
        chosen = (
            choose(desks, replace(selection, waiting=waiting))
            if place is None
            else [one_at(desks, place, selection)]
        )
        if len(chosen) > 1:
            confirm(f"Skip {counted(len(chosen), 'message')} for good?", yes=yes)
        outcomes = _skip(chosen, by)
    if place and outcomes[0] == "busy":
        raise busy(chosen[0].message)
    counts = {outcome: outcomes.count(outcome) for outcome in ("done", "gone", "busy")}
    if as_json:
        print_json({"skipped": counts["done"], "gone": counts["gone"], "busy": counts["busy"]})
    else:
        _report(counts)
    context.exit(1 if counts["busy"] else 0)


def _skip(chosen: Sequence[Chosen], by: By) -> list[Done]:
    """Skip messages, those of one sequence together."""
    sequences: defaultdict[tuple[int, int], list[Chosen]] = defaultdict(list)
    for each in chosen:
        sequences[id(each.desk), each.message.sequence_id].append(each)
    return [
        outcome
        for together in sequences.values()
        for outcome in Actions(together[0].desk.connection, by).skip(
            [each.message for each in together]
        )
    ]


def _report(counts: dict[str, int]) -> None:
    if counts["done"]:
        click.echo(
            f"Skipped {counted(counts['done'], 'message')}; `tailrace parked history` shows what they were."
        )
    if counts["gone"]:
        click.echo(
            f"{counted(counts['gone'], 'message')} took effect, or was skipped, just before; nothing was done about it."
        )
    if counts["busy"]:
        click.echo(
            f"{counted(counts['busy'], 'message')} left alone, held by a worker just now: skip again in a moment.",
            err=True,
        )
    if not any(counts.values()):
        click.echo("Nothing that is parked is like that; nothing was done.")
