"""The whole demonstration: what is counted before, the run, and the figures after."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from cdc.work import utc_now
from infra.demo.figures import SETTLED_WITHIN_S, Figures, figures, figures_since, settled_books
from infra.demo.follow import Looks, at_the_end, order_codec
from infra.demo.orders import DemoError, Source
from infra.demo.result import Result, percentiles
from infra.demo.run import Display, Run
from infra.deployment import Deployment


def demonstrate(
    deployment: Deployment, source: Source, display: Display, *, concurrency: int, timeout_s: float
) -> Result:
    before, since = figures(deployment), utc_now()
    codec = order_codec(deployment.registry, deployment.schema_cache)

    async def conduct(looks: Looks) -> tuple[Run, float]:
        run = Run(display, concurrency=concurrency, timeout_s=timeout_s)
        start = time.monotonic()
        await run.conduct(source, deployment.url_of("storefront"), looks, codec)
        return run, time.monotonic() - start

    with at_the_end(deployment.kafka_bootstrap) as looks:
        finished, duration_s = asyncio.run(conduct(looks))
    # what else is known is told even if the databases cannot be asked any more
    after, books = None, None
    with suppress(DemoError):
        # the books of an order that was given up do not come to agree by waiting
        within_s = SETTLED_WITHIN_S if finished.ledger.is_settled else 0.0
        books = settled_books(deployment, since, within_s=within_s)
        after = figures_since(before, deployment)
    return _result(source, finished, duration_s, after, books)


def _result(
    source: Source,
    run: Run,
    duration_s: float,
    added: Figures | None,
    books: Sequence[str] | None,
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
        interrupted=run.interrupted,
    )
