"""Puts the rows of one order together."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby

from cdc.text import quoted
from infra.demo.orders import BadRow, NewOrder, lines_of
from infra.demo.rows import PricedRow


def orders(rows: Iterable[PricedRow | BadRow]) -> Iterator[NewOrder | BadRow]:
    """Put consecutive rows of one order together.

    An order with a bad row is not sent at all: half of it is not what the customer wants, and sending the
    corrected file again would order the other half twice.
    """
    for _, members in groupby(rows, key=_key):
        yield from _order(list(members))


def _key(row: PricedRow | BadRow) -> tuple[bool, str | int]:
    if row.order is not None:
        return True, row.order
    return False, row.first if isinstance(row, BadRow) else row.line


def _order(members: list[PricedRow | BadRow]) -> Iterator[NewOrder | BadRow]:
    rows = [row for row in members if isinstance(row, PricedRow)]
    bad = [row for row in members if isinstance(row, BadRow)]
    bad += [
        BadRow(row.line, row.line, reason)
        for row in rows
        if (reason := _contradiction(row, rows[0]))
    ]
    if not bad:
        yield _whole(rows)
        return
    yield from bad
    named = {row.first for row in bad}
    for row in rows:
        if row.line not in named:
            yield BadRow(
                row.line, row.line, f"not sent: line {bad[0].first} of the same order is bad"
            )


def _contradiction(row: PricedRow, first: PricedRow) -> str | None:
    for ours, theirs in ((row.customer_id, first.customer_id), (row.currency, first.currency)):
        if ours != theirs:
            return f"{quoted(ours)}, but line {first.line} of the same order says {quoted(theirs)}"
    return None


def _whole(rows: list[PricedRow]) -> NewOrder:
    return NewOrder(
        place=lines_of(rows[0].line, rows[-1].line),
        rows=len({row.line for row in rows}),
        customer_id=rows[0].customer_id,
        currency=rows[0].currency,
        lines=tuple(line for row in rows for line in row.lines),
        total=sum((row.amount for row in rows), Decimal(0)),
    )
