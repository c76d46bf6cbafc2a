"""The command that has messages tried again, and follows what becomes of them: `parked retry`."""

from collections.abc import Sequence

import click

from consumers.runtime.parked.acting import Audit
from consumers.runtime.parked.message import Parked
from infra.cli.common import Command, confirm, examples, yes_option
from infra.cli.output import json_option, tell
from infra.cli.parked.options import acting, targeting
from infra.cli.progress import counting, on_stderr
from infra.cli.values import RATE, seconds
from infra.deployment.current import load_deployment
from infra.operations.parked import retry as retrying
from infra.operations.parked.messages import Target
from infra.text import counted, one_line

FAILURES_SHOWN = 20


@click.command(cls=Command)
@targeting()
@acting
@yes_option
@click.option(
    "--rate",
    type=RATE,
    metavar="N",
    help="Only so many a second, so that who was just repaired is not overrun.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=seconds(),
    metavar="SECONDS",
    help=f"How long to follow them.  [default: {retrying.PATIENCE_S:g}, and what --rate takes]",
)
@click.option("--wait/--no-wait", default=True, help="Follow them, or leave them to the worker.")
@json_option
@examples(
    "tailrace parked retry order.events/3/17 --why 'the card processor is back'",
    "tailrace parked retry --consumer payments-worker --error Timeout --rate 10 --yes --why 'it is back'",
)
def retry(
    *,
    target: Target,
    by: Audit,
    yes: bool,
    rate: float | None,
    timeout_s: float | None,
    wait: bool,
) -> int:
    """Have the message at PLACE, or all that the filters choose, tried again as if it had never failed.

    The consumer's worker does the work: first the message, then those that wait behind it, in their order. Followed to
    the end, unless --no-wait is given. Ends with 1 if a message failed again or is still waiting.
    """
    result = retrying.retry(
        load_deployment(),
        retrying.RetryRequest(target=target, by=by, rate=rate, follow=wait, timeout_s=timeout_s),
        lambda messages: confirm(_question(messages), yes=yes),
        on_stderr(counting),
    )
    tell(result, lambda: _report(result))
    return 0 if result.is_good else 1


def _question(messages: Sequence[Parked]) -> str:
    behind = sum(each.behind for each in messages)
    also = f", and then {counted(behind, 'message')} behind them" if behind else ""
    return f"Retry {counted(len(messages), 'message')}{also}?"


def _report(result: retrying.RetryResult) -> None:
    if not (result.due or result.busy):
        click.echo(
            f"{counted(result.gone, 'message')} took effect, or was skipped, just before; nothing was done."
            if result.gone
            else "No parked message matches; nothing was changed."
        )
        return
    told = f"{counted(result.due, 'message')} due"
    if result.followed:
        behind = sum(each.behind is not None for each in result.failed)
        told += (
            f": {result.took_effect} took effect, {len(result.failed) - behind} failed again, "
            f"{result.waiting} still waiting"
        )
        if behind:
            told += f"; {counted(behind, 'message')} behind them failed"
    click.echo(f"{told}.")
    for each in result.failed[:FAILURES_SHOWN]:
        click.echo(
            f"  {each.place}  {each.consumer}  {one_line(each.error_class, each.error_text)}"
        )
    if (more := len(result.failed) - FAILURES_SHOWN) > 0:
        click.echo(f"  and {more} more; `tailrace parked list` shows them")
    for consumer, trouble in result.not_running.items():
        click.echo(
            f"{consumer} {trouble}: nothing is tried until it runs; `tailrace status` shows what does.",
            err=True,
        )
    if result.busy:
        click.echo(
            f"{counted(len(result.busy), 'message')} left alone, held by a worker just now: retry again in a moment.",
            err=True,
        )
