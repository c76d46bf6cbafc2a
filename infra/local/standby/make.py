"""Making the standby, as a copy of the primary, and waiting until it could take over."""

import threading
from collections.abc import Callable

from cdc import standby as standbys
from cdc.standby import Behind
from infra.errors import TailraceError
from infra.local.postgres import copy_primary
from infra.local.probe import ProbeTimeoutError, wait_until
from infra.local.standby.files import drop_fenced
from infra.local.standby.status import answering, report
from infra.local.standby.watch import behind_file
from infra.services import STANDBY
from infra.settings import Settings

PROMOTION_S = 60
PROTECTED_S = 60.0
LOOK_EVERY_S = 0.5


class StandbyError(TailraceError):
    """The standby cannot be made, or could not take over."""


class UnprotectedError(StandbyError):
    """Everything runs, and the standby could not take over."""


def made_later(settings: Settings) -> str | None:
    """Return the standby when it has no data yet, so that it can only be started after its primary."""
    name = settings.standby
    return name if name and not settings.has_data(name) else None


def primary_up(settings: Settings, bring_up: Callable[[], str]) -> str:
    """Start the primary; one that was to become it when its promotion was interrupted does so now."""
    name = settings.primary
    told = bring_up()
    if not settings.is_standby(name):
        return told
    promote_server(settings, name)
    return f"{name} is promoted, as had been begun"


def promote_server(settings: Settings, name: str) -> None:
    """Have a standby take writes from now on, and wait for nobody; may be repeated."""
    with answering(settings, name) as connection:
        if connection is None:
            raise StandbyError(
                f"{name} does not answer: run `tailrace restart {name}`, then go on."
            )
        standbys.wait_no_more(connection)
        [[is_standby]] = connection.execute(standbys.QUERIES["is_standby"]).fetchall()
        if not is_standby:
            return
        [[done]] = connection.execute(standbys.QUERIES["promote"], [PROMOTION_S]).fetchall()
    if not done:
        raise StandbyError(
            f"{name} was told to take writes and does not after {PROMOTION_S} s: see `tailrace logs {name}`, "
            "then run `tailrace postgres promote` again."
        )


def ensure_copy(settings: Settings) -> str:
    """Make the data of the standby unless it has some; return a few words if so."""
    if (name := made_later(settings)) is None:
        return ""
    with answering(settings, settings.primary) as connection:
        if connection is None:
            raise StandbyError(f"{settings.primary} does not answer: run `make up`.")
        connection.execute(standbys.QUERIES["make_slot"], [STANDBY])
    # it has everything only when it has been waited for
    Behind(behind_file(settings)).mark("it was made")
    copy_primary(settings)
    drop_fenced(settings, name)
    return f"a copy of {settings.primary}"


def wait_until_protected(settings: Settings, cancelled: threading.Event | None = None) -> str:
    """Wait until the standby could take over."""
    troubles: list[str] = []

    def probe() -> bool:
        found = report(settings)
        troubles[:] = found.troubles
        if troubles and found.needs_slot:
            _hurry(settings)
        return not troubles

    try:
        wait_until(
            "the standby could not take over",
            probe,
            timeout_s=PROTECTED_S,
            interval_s=LOOK_EVERY_S,
            cancelled=cancelled,
        )
    except ProbeTimeoutError as error:
        raise UnprotectedError(
            f"Everything runs, but {settings.standby} could not take over: {'; '.join(troubles)}. See `tailrace "
            f"postgres status` and `tailrace logs {settings.standby}`; `tailrace postgres rebuild` makes it anew."
        ) from error
    return f"{settings.standby} could take over"


def _hurry(settings: Settings) -> None:
    """Have the slot move on the primary, and the standby look for that now: it does so ever more seldom."""
    for capture in settings.captures:
        with answering(settings, settings.primary, capture.database.name) as primary:
            if primary:
                primary.execute(standbys.QUERIES["change_catalogue"])
                primary.execute(standbys.QUERIES["log_snapshot"])
    with answering(settings, str(settings.standby)) as standby:
        if standby:
            standby.execute(standbys.QUERIES["reload"])
