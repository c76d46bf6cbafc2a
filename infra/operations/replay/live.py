"""Redelivering messages to one live consumer."""

import asyncio
import gc
from dataclasses import dataclass

from cdc.reconciliation import Progress
from consumers.replay.errors import ReplayError
from consumers.replay.live import Redelivered, Redelivery, redeliver
from consumers.runtime.parked.acting import Audit
from consumers.runtime.store import Place
from infra.operations.replay.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveResult:
    """What came of messages that were redelivered."""

    run_id: str
    messages: int
    applied: int
    duplicates: int
    parked: int
    too_old: int


def into_live(run: Run, progress: Progress) -> LiveResult:
    """Redeliver messages; what the consumer has taken before takes effect only if that is forced."""
    gc.freeze()
    positions: dict[Place, int] = {}
    with run.resumable():
        try:
            done = asyncio.run(_run(run, positions, progress))
        except (KeyboardInterrupt, ReplayError):
            for place, position in positions.items():
                run.state.note(place, position)
            run.save()
            raise
    totals = done.totals
    return LiveResult(
        run_id=run.state.run_id,
        messages=done.records,
        applied=totals.applied - totals.parked,
        duplicates=totals.duplicates,
        parked=totals.parked,
        too_old=done.too_old,
    )


async def _run(run: Run, positions: dict[Place, int], progress: Progress) -> Redelivered:
    request = run.request
    with progress("redelivered", run.plan.total) as show:
        return await redeliver(
            run.consumer,
            run.selection,
            run.plan,
            Redelivery(
                run_id=run.state.run_id,
                by=Audit(actor=request.who, why=request.why or ""),
                forced=request.force,
            ),
            places=run.state.places(),
            tell=lambda moved: show(moved.read),
            rate=request.rate,
            positions=positions,
        )
