"""The command that demonstrates the pipeline with orders, made up or from a file."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

from cdc.text import quoted
from infra.cli.common import Command
from infra.cli.output import console, emit, json_option, wants_json
from infra.cli.values import COUNT, Existing, Parsed, seconds, whole
from infra.demo.crashes import KillNext
from infra.demo.display import open_display
from infra.demo.mapping import DEFAULT_CURRENCY, SYNONYMS
from infra.demo.orders import FORMS
from infra.demo.report import compare, report
from infra.demo.result import Result
from infra.deployment.current import load_deployment, local_stack
from infra.operations.demo import (
    DEFAULT_ORDERS,
    ORDERS_PER_CORE,
    DemoRequest,
    open_source,
    send,
)
from schemas.money.currencies import MINOR_UNIT_DECIMALS

INTERRUPTED = 130


class Assignments(click.ParamType):
    """One FIELD=COLUMN or several in a row; a column's name may hold blanks."""

    name = "FIELD=COLUMN"
    START = re.compile(rf"(?:^|[\s,]+)({'|'.join(SYNONYMS)})=")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[tuple[str, str]]:
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


def _parts(text: str) -> list[str]:
    # the local stack, which alone has processes to kill; other deployments do without
    from infra.local.crashes import SERVICES
    from infra.local.parts import PART_NAMES

    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in (SERVICES, *PART_NAMES)]:
        raise ValueError(
            f"{quoted(unknown[0])} is no part; there are {SERVICES}, {', '.join(PART_NAMES)}"
        )
    return names


@click.command(cls=Command)
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
    "--rate",
    "per_s",
    type=seconds(0.1),
    help="Begin so many orders a second, however long they take.  [default: as many as possible]",
)
@click.option(
    "--crash",
    "parts",
    type=Parsed("PARTS", _parts),
    help="Kill these parts of the local stack in turns meanwhile, such as `storefront,kafka`; `services` for all "
    "services and workers.",
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
    "--fulfilment",
    type=click.Choice([*FORMS, "both"]),
    help="Form in which the orders are fulfilled; both, one after the other.  [default: the service's]",
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
def demo(  # noqa: PLR0913 - one parameter per option
    *,
    count: int | None,
    path: Path | None,
    assignments: Sequence[Sequence[tuple[str, str]]],
    concurrency: int | None,
    per_s: float | None,
    parts: Sequence[str] | None,
    seed: int,
    currency: str | None,
    fulfilment: str | None,
    timeout_s: float,
) -> int:
    """Send orders over HTTP and follow each until it is confirmed or cancelled.

    Of orders that are made up, some are those of a customer who signs up for it. A receiver of webhooks is told how
    orders end, and a report of sales is made of them. Ends with 1 if a row was bad, an order was refused or did not
    come to its end, the sums differ, or webhooks or report tell something else.
    """
    request = DemoRequest(
        count=count,
        path=path,
        columns=_columns(assignments),
        concurrency=concurrency,
        per_s=per_s,
        seed=seed,
        currency=currency,
        timeout_s=timeout_s,
    )
    kill_next = _kill_next(parts) if parts else None
    out = console(stderr=wants_json())
    with open_source(request) as source:
        for line in source.explanation:
            out.print(line, soft_wrap=True)
        results: dict[str, Result] = {}
        for form in FORMS if fulfilment == "both" else (fulfilment,):
            with open_display(out, source.total) as display:
                result = send(load_deployment(), source, display, request, form, kill_next)
            results[form or ""] = result
            if not wants_json():
                if form:
                    out.print(f"\n{form}", style="bold")
                report(result, out)
            if result.interrupted:
                break
    if wants_json():
        emit(results if fulfilment == "both" else next(iter(results.values())))
    elif len(results) > 1:
        compare(results, out)
    ends = [
        INTERRUPTED if result.interrupted else 0 if result.ok else 1 for result in results.values()
    ]
    return max(ends)


def _kill_next(parts: Sequence[str]) -> KillNext:
    from infra.local.crashes import crashes_of

    return crashes_of(local_stack(), parts).kill_next


def _columns(assignments: Sequence[Sequence[tuple[str, str]]]) -> Mapping[str, str]:
    columns = dict(chain.from_iterable(assignments))
    if len(columns) < sum(map(len, assignments)):
        raise click.UsageError("--map says of one field twice what it is.")
    return columns
