"""The whole demonstration: what is counted before, the run, and the figures after."""

import asyncio
import time

from infra.demo.duplicates import suppressed
from infra.demo.follow import Looks, at_the_end, order_codec
from infra.demo.orders import DemoError, Source
from infra.demo.result import Result, percentiles
from infra.demo.run import Display, Run
from infra.deployment import Deployment


def demonstrate(
    deployment: Deployment, source: Source, display: Display, *, concurrency: int, timeout_s: float
) -> Result:
    before = suppressed(deployment)
    codec = order_codec(deployment.registry, deployment.schema_cache)

    async def conduct(looks: Looks) -> tuple[Run, float]:
        run = Run(display, concurrency=concurrency, timeout_s=timeout_s)
        start = time.monotonic()
        await run.conduct(source, deployment.url_of("storefront"), looks, codec)
        return run, time.monotonic() - start

    with at_the_end(deployment.kafka_bootstrap) as looks:
        finished, duration_s = asyncio.run(conduct(looks))
    return _result(source, finished, duration_s, _since(before, deployment))


def _since(before: int, deployment: Deployment) -> int | None:
    """Return how many were suppressed since; what else is known is told even if this cannot be."""
    try:
        return suppressed(deployment) - before
    except DemoError:
        return None


def _result(source: Source, run: Run, duration_s: float, duplicates: int | None) -> Result:
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
        unknown=len(unknown),
        unfinished=tuple(str(entry.order_id) for entry in ledger.unfinished()),
        latency_ms=percentiles(ledger.latencies_s),
        duplicates=duplicates,
        totals=ledger.totals,
        duration_s=duration_s,
        problems=tuple(run.problems),
        stopped=run.stopped,
        interrupted=run.interrupted,
    )
