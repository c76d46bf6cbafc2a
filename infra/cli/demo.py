"""The command that demonstrates the pipeline with orders, made up or from a file."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import click

from infra.cli.output import console, emit, json_option
from infra.cli.values import COUNT, Existing, Parsed, seconds, whole
from infra.demo.demonstrate import demonstrate
from infra.demo.display import open_display
from infra.demo.generate import GeneratedOrders
from infra.demo.mapping import DEFAULT_CURRENCY, SYNONYMS, MappingError
from infra.demo.orders import Source
from infra.demo.report import report
from infra.demo.source import open_orders
from infra.deployment.current import load_deployment
from schemas.money.currencies import MINOR_UNIT_DECIMALS

DEFAULT_ORDERS = 200
ORDERS_PER_CORE = 2
"""On a machine that runs the stack as well, more under way add to the waiting and not to the rate."""
INTERRUPTED = 130


class Assignments(click.ParamType):
    """One FIELD=COLUMN or several in a row; a column's name may hold blanks."""

    name = "FIELD=COLUMN"
    START = re.compile(rf"(?:^|[\s,]+)({'|'.join(SYNONYMS)})=")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[tuple[str, str]]:
        """Return fields with their columns."""
        before, *parts = self.START.split(str(value).strip())
        if before or not parts:
            fields = ", ".join(SYNONYMS)
            self.fail(f"{value!r} is not FIELD=COLUMN with a field of {fields}", param, ctx)
        columns = (column.strip() for column in parts[1::2])
        return list(zip(parts[::2], columns, strict=True))


def _currency(text: str) -> str:
    if text.upper() not in MINOR_UNIT_DECIMALS:
        raise ValueError(f"{text!r} is not an active ISO 4217 currency code")
    return text.upper()


@click.command()
@click.option(
    "--orders",
    "count",
    type=COUNT,
    help=f"Make up so many.  [default: {DEFAULT_ORDERS}]",
)
@click.option(
    "--file",
    "path",
    type=Existing(dir_okay=False),
    help="Send those of a CSV or JSON lines file.",
)
@click.option(
    "--map",
    "assignments",
    type=Assignments(),
    multiple=True,
    help="What a column of the file means, if its heading does not tell; FIELD= for none.",
)
@click.option(
    "--concurrency",
    type=whole(1, 1000),
    help=f"Most orders under way at once.  [default: {ORDERS_PER_CORE} for each processor core]",
)
@click.option(
    "--seed",
    type=whole(-(2**63), 2**63 - 1),
    default=1,
    show_default=True,
    help="The same seed makes up the same orders.",
)
@click.option(
    "--currency",
    type=Parsed("CODE", _currency),
    help=f"Of amounts that name none  [default: {DEFAULT_CURRENCY}]; of all orders made up  [default: a mixture].",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=seconds(1),
    default=60,
    show_default=True,
    help="Give up when nothing has moved for so many seconds.",
)
@json_option
@click.pass_context
def demo(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    *,
    count: int | None,
    path: Path | None,
    assignments: Sequence[Sequence[tuple[str, str]]],
    concurrency: int | None,
    seed: int,
    currency: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Send orders over HTTP and follow each until it is confirmed or cancelled.

    Ends with 1 if a row was bad, an order was refused or did not come to its end, or the sums differ.
    """
    if path is None and assignments:
        raise click.UsageError(
            "--map says what the columns of a file mean: name the file with --file."
        )
    if path is not None and count is not None:
        raise click.UsageError("--orders makes orders up, --file sends yours: choose one.")
    concurrency = concurrency or ORDERS_PER_CORE * (os.cpu_count() or 1)
    out = console(stderr=as_json)
    with _open_source(path, assignments, count, seed, currency) as source:
        for line in source.explanation:
            out.print(line, soft_wrap=True)
        with open_display(out, source.total) as display:
            result = demonstrate(
                load_deployment(), source, display, concurrency=concurrency, timeout_s=timeout_s
            )
    if as_json:
        emit(result)
    else:
        report(result, out)
    context.exit(INTERRUPTED if result.interrupted else 0 if result.ok else 1)


@contextmanager
def _open_source(
    path: Path | None,
    assignments: Sequence[Sequence[tuple[str, str]]],
    count: int | None,
    seed: int,
    currency: str | None,
) -> Iterator[Source]:
    if path is None:
        yield GeneratedOrders(count or DEFAULT_ORDERS, seed=seed, currency=currency)
        return
    overrides = dict(chain.from_iterable(assignments))
    if len(overrides) < sum(map(len, assignments)):
        raise click.UsageError("--map says of one field twice what it is.")
    with ExitStack() as stack:
        try:
            orders = stack.enter_context(open_orders(path, overrides=overrides, currency=currency))
        except MappingError as error:
            raise click.UsageError(str(error)) from error
        yield orders
