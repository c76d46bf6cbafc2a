"""When an operation may go: after its announced Sunset date, and not a day before."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from schemas.gate.finding import Finding
from schemas.gate.openapi.operations import Operation, Site

SUNSET = "x-sunset"
"""Extension of an operation that holds the date of its `Sunset` header, as YYYY-MM-DD."""


def check_removal(site: Site, today: date) -> Iterator[Finding]:
    """Yield a finding unless an operation was deprecated and its Sunset date has passed.

    Args:
        today: The day of the check; an operation may be removed from the day after its Sunset date.
    """
    spec = site.operation.spec
    sunset = _sunset(spec)
    if not spec.get("deprecated", False):
        how, fix = "", f"mark it deprecated with a date in {SUNSET}, and wait for it"
    elif SUNSET not in spec:
        how, fix = " without a Sunset date", f"announce one in {SUNSET}, and wait for it"
    elif sunset is None:
        how = f", and its Sunset date {spec[SUNSET]!r} is no date"
        fix = f"write YYYY-MM-DD in {SUNSET}, and wait for it"
    elif today <= sunset:
        how, fix = f" before its Sunset date {sunset} had passed", f"and wait for {sunset} to pass"
    else:
        return
    problem = f"the operation was removed{how}; clients that call it fail"
    yield site.finding("", "operation-removed", problem, f"Bring it back, {fix}")


def check_sunset(site: Site, old: Operation, new: Operation) -> Iterator[Finding]:
    """Yield a finding if the announced Sunset date of an operation was brought forward."""
    was, is_now = _sunset(old.spec), _sunset(new.spec)
    if was and is_now and is_now < was:
        problem = (
            f"the Sunset date went from {was} to {is_now}; clients have planned for the later one"
        )
        yield site.finding("", "sunset-brought-forward", problem, f"Keep {was}")


def _sunset(spec: dict[str, Any]) -> date | None:
    try:
        return date.fromisoformat(str(spec.get(SUNSET)))
    except ValueError:
        return None
