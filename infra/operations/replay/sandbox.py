"""Replaying into a sandbox: made, filled, compared, and dropped or kept; and the sandboxes that there are."""

import asyncio
import gc

from cdc.reconciliation import Progress
from consumers.replay.errors import ChoiceError, EmptyRangeError, ReplayError
from consumers.replay.sandbox import Listed, SandboxInfo, drop_sandbox, list_sandboxes
from consumers.replay.sandbox_run import Outcome, SandboxReplay
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.operations.replay.run import Run
from infra.replay import leave_to_the_report
from infra.services import OWNER

ROWS_SHOWN = 20


def find_sandbox(run: Run) -> SandboxInfo:
    """Return the sandbox of a replay that is resumed, or a new one that is still to be made."""
    state, consumer = run.state, run.consumer
    if not run.is_resumed:
        return SandboxInfo.new(state.run_id, consumer.name, consumer.role)
    found = {each.info.name: each.info for each in list_sandboxes(consumer.owner_url)}
    if state.target not in found:
        run.forget()
        raise ReplayError(
            f"the sandbox {state.target} of the replay {state.run_id} was dropped; begin anew"
        )
    return found[state.target]


def into_sandbox(
    run: Run, info: SandboxInfo, progress: Progress, rows: int = ROWS_SHOWN
) -> Outcome:
    replay = SandboxReplay(run.consumer, run.selection, run.plan, info)
    leave_to_the_report()
    gc.freeze()
    try:
        outcome = asyncio.run(_run(run, replay, progress, rows))
    except (ChoiceError, EmptyRangeError):
        asyncio.run(replay.drop())
        run.forget()
        raise
    run.forget()
    asyncio.run(replay.keep() if run.request.keep else replay.drop())
    return outcome


async def _run(run: Run, replay: SandboxReplay, progress: Progress, rows: int) -> Outcome:
    if not run.is_resumed:
        await replay.make()
        run.state.target = replay.name
        run.save()
    request = run.request
    with progress("replayed", run.plan.total) as show:
        return await replay.run(
            lambda moved: show(moved.read),
            rate=request.rate,
            most_rows=rows if request.rows is None else request.rows,
        )


def sandboxes(deployment: Deployment) -> list[Listed]:
    return [each for url in _owner_urls(deployment) for each in list_sandboxes(url)]


def drop_sandboxes(deployment: Deployment, *names: str, everything: bool = False) -> int:
    if bool(names) == everything:
        raise RequestError("Say which sandboxes to drop: their names, or --all.")
    places = {
        each.info.name: (url, each.is_in_use)
        for url in _owner_urls(deployment)
        for each in list_sandboxes(url)
    }
    meant = names or [name for name, (_, is_in_use) in places.items() if not is_in_use]
    for name in meant:
        url, _ = places.get(name, (deployment.main.url(OWNER), False))
        drop_sandbox(url, name)
    return len(meant)


def _owner_urls(deployment: Deployment) -> list[str]:
    return [each.url(OWNER) for each in deployment.captures]
