"""Commands about the servers of Postgres: how they stand, and having the standby take over."""

from collections.abc import Iterator

import click

from infra.cli.common import Group, confirm, examples, yes_option
from infra.cli.output import json_option, tell
from infra.cli.progress import terminal_report
from infra.deployment.current import local_stack
from infra.local.standby import promote as promotion
from infra.local.standby.status import PostgresReport, report
from infra.text import MEGABYTE


@click.group(cls=Group)
def postgres() -> None:
    """Show which server takes writes, and whether the other could take over; promote it; make it anew."""


@postgres.command()
@json_option
def status() -> int:
    """Show which server takes writes, and whether the standby could take over now.

    Ends with 1 when there is one that could not.
    """
    found = report(local_stack())
    tell(found, lambda: _show(found))
    return 0 if found.is_protected else 1


@postgres.command()
@yes_option
@json_option
@examples("tailrace postgres promote --yes")
def promote(*, yes: bool) -> None:
    """Have the standby take over, from a primary that is lost or still runs.

    It is refused when something would be lost. Otherwise the old primary is fenced, so that it never takes a write
    again; the standby takes writes, and the connector reads from it; it is proved that nothing is missing, and the old
    primary is made anew as a standby. May be interrupted, and run again, at any time.
    """
    settings = local_stack()
    confirm(f"{settings.primary} will never take writes again. Go on?", yes=yes)
    with terminal_report() as shown:
        done = promotion.promote(settings, shown)
    line = (
        f"{done.primary} takes writes; a message flowed after {done.flowing_s:.1f} s, and {done.standby} could take "
        f"over after {done.total_s:.1f} s."
    )
    tell(done, [line])


@postgres.command()
@yes_option
@json_option
def rebuild(*, yes: bool) -> None:
    """Make the standby anew, as a copy of the primary; for one that is lost or cannot follow any more."""
    settings = local_stack()
    confirm(f"The data of {settings.standby} are deleted and made anew. Go on?", yes=yes)
    with terminal_report() as shown:
        seconds = promotion.rebuild(settings, shown)
    tell(
        {"standby": settings.standby, "seconds": seconds}, [f"{settings.standby} could take over."]
    )


def _show(found: PostgresReport) -> None:
    for line in _lines(found):
        click.echo(line)
    for trouble in found.troubles:
        click.echo(f"{trouble}.", err=True)


def _lines(found: PostgresReport) -> Iterator[str]:
    yield f"primary: {found.primary or 'none'}{_silent(found.primary, found.primary_answers)}"
    yield f"standby: {found.standby or 'none'}{_silent(found.standby, found.standby_answers)}"
    if found.fenced:
        yield f"fenced:  {found.fenced}, whose data are set aside"
    if found.replication and found.standby:
        seen = found.replication
        waits = "wait" if seen.is_waited_for else "do not wait"
        behind = (
            f"is {seen.lag_bytes / MEGABYTE:,.1f} MB behind" if seen.is_streaming else "is gone"
        )
        yield f"commits {waits} for the standby, which {behind}"
    if found.slot and not found.slot.trouble:
        yield f"the connector's slot is kept by the standby, from {found.slot.restart_lsn}"


def _silent(name: str | None, answers: bool) -> str:  # noqa: FBT001 - of two that stand side by side
    return "" if answers or name is None else ", which does not answer"
