"""Checks of the parts: one line each."""

from collections.abc import Iterable
from functools import partial

import httpx2

from infra.local.programs import parts_brought_up
from infra.local.status import PartStatus, status
from infra.local.supervision.client import SupervisorStuckError
from infra.operations.doctor.check import Check, Trouble
from infra.pipeline import GROUPS
from infra.settings import Settings
from schemas.proxies import heeded

TIMEOUT_S = 2.0


def part_checks(settings: Settings) -> tuple[Check, ...]:
    try:
        return checks_of_parts(status(settings, memory=False))
    except SupervisorStuckError:
        # which the check of supervision tells
        return tuple(
            Check(part.name, partial(_told_now, settings, part.name), needs=("supervision",))
            for part in parts_brought_up(settings)
        )


def checks_of_parts(parts: Iterable[PartStatus]) -> tuple[Check, ...]:
    return tuple(Check(part.name, partial(_told, part)) for part in parts)


def _told_now(settings: Settings, name: str) -> str:
    return _told(next(part for part in status(settings, memory=False) if part.name == name))


def _told(part: PartStatus) -> str:
    if part.state == "stopped":
        raise Trouble("is not running", "run `make up`")
    if not part.is_running:
        reason = f": {trouble}" if (trouble := _trouble(part)) else ""
        remedy = f"see `make logs SERVICE={part.name}`, then run `tailrace restart {part.name}`"
        raise Trouble(f"is {part.state}{_restarted(part)}{reason}", remedy)
    return f"running{_restarted(part)}"


def _trouble(part: PartStatus) -> str:
    """Return what a worker itself says of why it is not ready; empty when it says nothing."""
    if part.name not in GROUPS or part.url is None or part.pid is None:
        return ""
    try:
        url = f"{part.url}/ready"
        answer = httpx2.get(url, timeout=TIMEOUT_S, trust_env=heeded(url)).json()
    except (httpx2.HTTPError, ValueError):
        return ""
    return str(answer.get("trouble") or "")


def _restarted(part: PartStatus) -> str:
    if not part.restarts:
        return ""
    times = f"time{'s' if part.restarts > 1 else ''}"
    return f", restarted {part.restarts} {times} after ending by itself"
