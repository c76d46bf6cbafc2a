"""The result of a run as tables and sentences."""

from collections.abc import Iterator, Mapping

from rich.console import Console, Group, RenderableType
from rich.text import Text

from infra.demo.ledger import Totals
from infra.demo.orders import GENERATED
from infra.demo.result import Result
from infra.demo.walk import Besides
from infra.tables import table
from schemas.money.amounts import in_currency

NAMED = 5
"""Orders named by id before the rest is only counted."""


def report(result: Result, console: Console) -> None:
    """Print what a run came to."""
    console.print(Group("", _counts(result), "", _sums(result), ""))
    for sentence in verdict(result):
        console.print(sentence, soft_wrap=True)


def compare(results: Mapping[str, Result], console: Console) -> None:
    """Print runs side by side.

    Args:
        results: By what tells them apart.
    """
    columns = [dict(_costs(result)) for result in results.values()]
    rows = (
        (name, *(column.get(name, "0") for column in columns))
        for name in dict.fromkeys(name for column in columns for name in column)
    )
    console.print(Group(table(("", *results), rows, right=results, wrap=("",)), ""))


def _costs(result: Result) -> Iterator[tuple[str, str]]:
    yield "placed", f"{result.placed:,}"
    yield "confirmed", f"{result.confirmed:,}"
    for reason, count in sorted(result.cancelled.items()):
        yield f"cancelled: {reason}", f"{count:,}"
    yield "orders a second", f"{result.rate:.0f}"
    for percentile, latency_ms in result.answer_ms.items():
        yield f"time to answer p{percentile}", f"{latency_ms:,.1f} ms"
    for percentile, latency_ms in result.latency_ms.items():
        yield f"time to end p{percentile}", f"{latency_ms:,.1f} ms"
    for name, sum_ in (("messages", result.messages), ("commits", result.commits)):
        each = "unknown" if sum_ is None else f"{sum_ / max(result.ended, 1):.1f}"
        yield f"{name} an order", each
    yield "books", _books(result)


def _books(result: Result) -> str:
    if result.books is None:
        return "unknown"
    return f"{len(result.books)} disagree" if result.books else "balanced"


def verdict(result: Result) -> Iterator[str]:
    for code, totals in sorted(result.totals.items()):
        yield _equation(_noun(result), code, totals)
    if result.replayed:
        yield (
            f"{result.replayed} answers were lost, and came when the orders were sent again under their keys."
        )
    if result.answers_lost:
        yield f"{result.answers_lost} answers were lost; the events show that these orders were placed."
    not_placed = {"bad rows": result.bad_rows, "refused": result.refused, "unsent": result.unsent}
    if any(not_placed.values()):
        counts = ", ".join(f"{count:,} {what}" for what, count in not_placed.items() if count)
        yield f"Not placed: {counts}; each is named above."
    if result.unknown:
        yield (
            f"{result.unknown} orders are unknown: they were sent, but neither an answer nor an event came, "
            "however often."
        )
    if result.unfinished:
        more = ", ..." if len(result.unfinished) > NAMED else ""
        named = ", ".join(result.unfinished[:NAMED]) + more
        if result.interrupted:
            yield f"{len(result.unfinished)} orders were still under way: {named}."
        else:
            yield (
                f"{len(result.unfinished)} orders did not come to their end: {named}. "
                "See `tailrace status` and the logs of the workers."
            )
    yield from _wrong(result.besides)
    for disagreement in (result.books or ())[:NAMED]:
        yield f"The services disagree: {disagreement}."
    if result.stopped:
        yield f"Stopped early: {result.stopped}."


def _wrong(besides: Besides) -> Iterator[str]:
    yield from besides.failed
    if (webhooks := besides.webhooks) and not webhooks.ok:
        yield (
            f"Of {webhooks.expected:,} webhooks {len(webhooks.lost):,} did not come, {webhooks.doubled:,} came under "
            f"two ids, and {webhooks.forged:,} were not signed as they should be."
        )
    if report := besides.report:
        if report.others:
            yield (
                "The report was not compared, as somebody else placed orders meanwhile: "
                f"{report.others:,} of their events were seen."
            )
        elif report.wrong:
            yield from (f"The report of sales is wrong: {each}." for each in report.wrong[:NAMED])


def _counts(result: Result) -> RenderableType:
    headings = ("what", "figure", "remark")
    made = table(headings, _figures(result), right=("figure",), wrap=("remark",))
    made.show_header = False
    return made


def _figures(result: Result) -> Iterator[tuple[str, str, str]]:
    if result.source != GENERATED:
        yield "rows read", f"{result.rows:,}", result.source
    yield "placed", f"{result.placed:,}", f"{result.rate:.0f}/s for {result.duration_s:.1f} s"
    yield "confirmed", f"{result.confirmed:,}", ""
    yield "cancelled", f"{sum(result.cancelled.values()):,}", ""
    for reason, count in sorted(result.cancelled.items()):
        yield f"  {reason}", f"{count:,}", ""
    if result.unfinished:
        yield "unfinished", f"{len(result.unfinished):,}", ""
    if result.unknown:
        yield "unknown", f"{result.unknown:,}", ""
    for percentile, latency_ms in result.answer_ms.items():
        remark = "from POST to answer" if percentile == min(result.answer_ms) else ""
        yield f"answer p{percentile}", f"{latency_ms:,.1f} ms", remark
    for percentile, latency_ms in result.latency_ms.items():
        remark = "from POST to effect" if percentile == min(result.latency_ms) else ""
        yield f"latency p{percentile}", f"{latency_ms:,.1f} ms", remark
    suppressed = "unknown" if result.duplicates is None else f"{result.duplicates:,}"
    yield "duplicates suppressed", suppressed, ""
    yield "books", _books(result), "orders, payments, stock and shipments"
    yield from _besides(result.besides)
    if result.killed:
        yield "killed", f"{sum(result.killed.values()):,}", ", ".join(result.killed)


def _besides(besides: Besides) -> Iterator[tuple[str, str, str]]:
    if customer := besides.customer:
        remark = f"of a customer who signed up: {' -> '.join(customer.tiers) or 'no tier'}"
        if customer.fallbacks:
            remark += f", {customer.fallbacks:,} while the tier could not be asked for"
        yield "orders with a tier", f"{customer.orders:,}", remark
    if webhooks := besides.webhooks:
        came = webhooks.expected - len(webhooks.lost)
        remark = f"verified, one for each order that ended; {webhooks.repeated:,} came again"
        yield "webhooks", f"{came:,}", remark
    if report := besides.report:
        states = {True: "right", False: "wrong", None: "not compared"}
        remark = f"CSV of {report.bytes:,} bytes, with {report.orders:,} orders more than before"
        yield "report of sales", states[report.is_right], remark
    for what, why in besides.passed_over.items():
        yield what, "passed over", why


def _sums(result: Result) -> RenderableType:
    if not result.totals:
        return Text("Nothing was placed.")
    headings = (_noun(result), "discount", "placed", "confirmed", "cancelled")
    rows = []
    for code, totals in sorted(result.totals.items()):
        sums = (
            totals.source,
            totals.discount,
            totals.placed,
            totals.confirmed,
            totals.cancelled,
        )
        rows.append((code, *(f"{in_currency(amount, code):,f}" for amount in sums)))
    return table(("", *headings), rows, right=headings)


def _noun(result: Result) -> str:
    return "sent" if result.source == GENERATED else "file"


def _equation(noun: str, code: str, totals: Totals) -> str:
    source, discount, placed, events = (
        f"{in_currency(amount, code):,f} {code}"
        for amount in (totals.source, totals.discount, totals.placed, totals.events)
    )
    less = f" - discount {discount}" if totals.discount else ""
    if totals.match:
        return f"{noun} {source}{less} = events {events}"
    return f"{noun} {source}{less}, placed {placed}, events {events}: they do not match"
