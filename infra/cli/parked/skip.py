"""The command that takes messages out for good: `parked skip`."""

from collections.abc import Sequence

import click

from consumers.runtime.parked.acting import Audit
from consumers.runtime.parked.message import Parked
from infra.cli.common import Command, confirm, examples, yes_option
from infra.cli.output import json_option, tell
from infra.cli.parked.options import acting, targeting, waiting_option
from infra.deployment.current import load_deployment
from infra.operations.parked import skip as skipping
from infra.operations.parked.messages import Target
from infra.text import counted


@click.command(cls=Command)
@targeting(waiting_option)
@acting
@yes_option
@json_option
@examples(
    "tailrace parked skip order.events/3/17 --why 'a test order'",
    "tailrace parked skip --key 0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968 --waiting --why 'the order was settled by hand'",
)
def skip(*, target: Target, by: Audit, yes: bool) -> int:
    """Take the message at PLACE, or all that the filters choose, out for good.

    What is skipped never takes effect. It is kept whole with the note of who did it and why, which `tailrace parked
    show` and `history` show. What waited behind it is tried next, unless --waiting has it skipped as well.
    """

    def approve(messages: Sequence[Parked]) -> None:
        confirm(f"Skip {counted(len(messages), 'message')} for good?", yes=yes)

    result = skipping.skip(load_deployment(), target, by, approve)
    tell(result, lambda: _report(result))
    return 1 if result.busy else 0


def _report(result: skipping.SkipResult) -> None:
    if result.skipped:
        click.echo(
            f"Skipped {counted(result.skipped, 'message')}; `tailrace parked history` shows what they were."
        )
    if result.gone:
        click.echo(
            f"{counted(result.gone, 'message')} took effect, or was skipped, just before; nothing was done about it."
        )
    if result.busy:
        click.echo(
            f"{counted(result.busy, 'message')} left alone, held by a worker just now: skip again in a moment.",
            err=True,
        )
    if not (result.skipped or result.gone or result.busy):
        click.echo("No parked message matches; nothing was changed.")
