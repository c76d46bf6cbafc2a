"""The check of the standby: that it could take over now."""

from functools import partial

from infra.local.standby.status import PostgresReport, report
from infra.operations.doctor.check import Check, Trouble
from infra.settings import Settings


def _standby(settings: Settings) -> str:
    return told(report(settings))


def told(found: PostgresReport) -> str:
    """Return a few words about a standby that could take over.

    Raises:
        Trouble: it could not.
    """
    if found.is_protected:
        return f"{found.standby} has all that is answered, and could take over from {found.primary}"
    seen = found.replication
    holds_up = seen and seen.is_waited_for and not seen.is_streaming
    waits = "; until it is back, or `standby-watch` gives it up, every commit and the connector wait for it"
    raise Trouble(f"{'; '.join(found.troubles)}{waits if holds_up else ''}", _remedy(found))


def _remedy(found: PostgresReport) -> str:
    if found.primary is found.standby is None:
        return "run `make up`"
    if found.primary is None or found.fenced:
        return "run `tailrace postgres promote`, which goes on with it"
    if not found.primary_answers:
        return "run `make up`, or `tailrace postgres promote` if it is lost for good"
    if found.standby is None:
        return "run `tailrace postgres rebuild`"
    if not found.standby_answers:
        return "run `make up`, or `tailrace postgres rebuild` if it is lost for good"
    return (
        f"give it a minute to catch up; if it does not, see `tailrace logs {found.standby}` and run `tailrace postgres "
        "rebuild`"
    )


def standby_checks(settings: Settings) -> tuple[Check, ...]:
    if settings.standby is None:
        return ()
    return (Check("standby", partial(_standby, settings)),)
