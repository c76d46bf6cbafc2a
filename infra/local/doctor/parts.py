"""Checks of the parts: one line each."""

from collections.abc import Callable

from infra.local.doctor.check import Check, Trouble
from infra.local.status import PartStatus, status
from infra.settings import Settings


def part_checks(settings: Settings) -> tuple[Check, ...]:
    """Look at all parts once and return a check for each."""
    return tuple(Check(part.name, _told(part)) for part in status(settings))


def _told(part: PartStatus) -> Callable[[Settings], str]:
    def run(_settings: Settings) -> str:
        if part.state == "stopped":
            raise Trouble("is not running", "run `make up`")
        if not part.is_running:
            remedy = f"see `make logs SERVICE={part.name}`, then run `tailrace restart {part.name}`"
            raise Trouble(f"is {part.state}{_restarted(part)}", remedy)
        return f"running{_restarted(part)}"

    return run


def _restarted(part: PartStatus) -> str:
    if not part.restarts:
        return ""
    return (
        f", restarted {part.restarts} time{'s' if part.restarts > 1 else ''} after ending by itself"
    )
