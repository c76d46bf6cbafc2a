"""The whole demonstration: what is counted before, the run with what is done beside it, and the figures after."""

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from cdc.work import utc_now
from infra.demo.crashes import KillNext, crashing
from infra.demo.figures import SETTLED_WITHIN_S, Added, figures, figures_since, settled_books
from infra.demo.follow import Looks, at_the_end, order_codec
from infra.demo.orders import DemoError, Source
from infra.demo.result import Result, percentiles
from infra.demo.run import Display, Run
from infra.demo.walk import Besides, walking
from infra.deployment import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How orders are sent.

    Args:
        concurrency: Most of them under way at once.
        per_s: How many are begun in a second, on average; None for as many as possible.
        timeout_s: Longest time in which nothing moves.
    """

    concurrency: int
    per_s: float | None = None
    timeout_s: float


def demonstrate(
    deployment: Deployment,
    source: Source,
    display: Display,
    pace: Pace,
    kill_next: KillNext | None = None,
) -> Result:
    """Send everything and see it to its end.

    Args:
        kill_next: Kills parts of the stack meanwhile.
    """
    before, since = figures(deployment), utc_now()
    codec = order_codec(deployment.registry, deployment.schema_cache)

    async def conduct(looks: Looks) -> tuple[Run, float, Besides, Mapping[str, int]]:
        run = Run(display, concurrency=pace.concurrency, per_s=pace.per_s, timeout_s=pace.timeout_s)
        with _interrupting(run):
            async with walking(
                deployment, timeout_s=pace.timeout_s, stopping=run.interrupted
            ) as walk:
                sent = await walk.begin(source)
                async with crashing(kill_next, display) as killed:
                    start = time.monotonic()
                    await run.conduct(sent, deployment.url_of("storefront"), looks, codec)
                    duration_s = time.monotonic() - start
                    return run, duration_s, await walk.end(run.ledger, run.others), killed

    with at_the_end(deployment.kafka_bootstrap) as looks:
        finished, duration_s, besides, killed = asyncio.run(conduct(looks))
    # what else is known is told even if the databases cannot be asked any more
    after, books = None, None
    with suppress(DemoError):
        # the books of an order that was given up do not come to agree by waiting
        within_s = SETTLED_WITHIN_S if finished.ledger.is_settled else 0.0
        books = settled_books(deployment, since, within_s=within_s)
        after = figures_since(before, deployment)
    return _result(source, finished, duration_s, after, books, besides, killed)


@contextmanager
def _interrupting(run: Run) -> Iterator[None]:
    """Have Ctrl-C end a run in good order."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, run.interrupt)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _result(
    source: Source,
    run: Run,
    duration_s: float,
    added: Added | None,
    books: Sequence[str] | None,
    besides: Besides,
    killed: Mapping[str, int],
) -> Result:
    ledger = run.ledger
    unknown = list(ledger.unknown())
    for entry in unknown:
        run.problem(f"{entry.order.place}: unknown: {entry.lost or 'the answer was not awaited'}")
    return Result(
        source=source.name,
        rows=run.rows,
        bad_rows=run.bad_rows,
        refused=run.refused,
        unsent=run.unsent,
        placed=ledger.placed,
        confirmed=ledger.confirmed,
        cancelled=dict(ledger.cancelled),
        answers_lost=ledger.answers_lost,
        replayed=run.replayed,
        unknown=len(unknown),
        unfinished=tuple(str(entry.order_id) for entry in ledger.unfinished()),
        answer_ms=percentiles(ledger.answers_s),
        latency_ms=percentiles(ledger.latencies_s),
        duplicates=added.duplicates if added else None,
        messages=added.messages if added else None,
        commits=added.commits if added else None,
        books=None if books is None else tuple(books),
        totals=ledger.totals,
        duration_s=duration_s,
        problems=tuple(run.problems),
        stopped=run.stopped,
        interrupted=run.interrupted.is_set(),
        besides=besides,
        killed=dict(killed),
    )
