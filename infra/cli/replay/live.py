"""Redelivering messages to one live consumer, once somebody has said that this is meant."""

import asyncio
import gc

import click

from consumers.replay.errors import ReplayError
from consumers.replay.live import Redelivered, Redelivery, redeliver
from consumers.runtime.parked.acting import By
from consumers.runtime.store import Place
from infra.cli.output import console, print_json
from infra.cli.parked.access import confirm
from infra.cli.parked.text import counted
from infra.cli.progress import working
from infra.cli.replay.request import Request
from infra.cli.replay.text import announcement


def into_live(request: Request) -> int:
    """Redeliver, report; return 1 when a message was parked."""
    if not request.quiet:
        click.echo(announcement(request.plan), err=True)
    confirm(_question(request), yes=request.asked["yes"])
    request.save()
    gc.freeze()
    positions: dict[Place, int] = {}
    with request.resumable():
        try:
            done = asyncio.run(_run(request, positions))
        except (KeyboardInterrupt, ReplayError):
            for place, position in positions.items():
                request.state.note(place, position)
            request.save()
            raise
    request.forget()
    _report(request, done)
    return 1 if done.totals.parked else 0


async def _run(request: Request, positions: dict[Place, int]) -> Redelivered:
    assert request.subject is not None  # noqa: S101 - a request for a live consumer has one
    asked = request.asked
    redelivery = Redelivery(
        run_id=request.state.run_id,
        by=By(actor=asked["who"], why=asked["why"] or ""),
        forced=bool(asked["force"]),
    )
    shown = not request.quiet
    with working(console(stderr=True), "redelivered", request.plan.total, shown=shown) as show:
        return await redeliver(
            request.subject,
            request.selection,
            request.plan,
            redelivery,
            places=request.state.places(),
            tell=lambda moved: show(moved.read),
            rate=asked["rate"],
            positions=positions,
        )


def _question(request: Request) -> str:
    assert request.subject is not None  # noqa: S101 - see above
    chosen = " of which some are chosen" if request.selection.is_filtered else ""
    what = f"Redeliver up to {counted(request.plan.total, 'message')}{chosen} to {request.subject.name}, live?"
    if request.asked["force"]:
        return (
            f"{what} EACH TAKES EFFECT AGAIN, although it may have before: rows are written twice, messages are sent "
            "and parties outside are called once more."
        )
    return f"{what} What it has taken before has no effect; what it has not, takes effect now."


def _report(request: Request, done: Redelivered) -> None:
    totals = done.totals
    if request.quiet:
        print_json(
            {
                "run_id": request.state.run_id,
                "messages": done.records,
                "applied": totals.applied - totals.parked,
                "duplicates": totals.duplicates,
                "parked": totals.parked,
                "too_old": done.too_old,
            }
        )
        return
    click.echo(
        f"{counted(done.records, 'message')} redelivered: {totals.applied - totals.parked:,} took effect, "
        f"{totals.duplicates:,} had been taken before, {totals.parked:,} parked."
    )
    if done.too_old:
        click.echo(
            f"{counted(done.too_old, 'message')} left out: older than the inbox remembers, so that nobody knows "
            "whether they took effect. Look in the consumer's tables; --force makes them take effect.",
            err=True,
        )
