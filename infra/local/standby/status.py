"""How the servers of Postgres stand: which takes writes, and whether the other could take over now."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg

from cdc import standby as standbys
from cdc.database import SyncConnection, connect
from cdc.standby import Behind, Standby, SynchronisedSlot
from infra.local.programs import publisher
from infra.local.standby.files import fenced, present
from infra.local.standby.watch import behind_file
from infra.services import STANDBY, SUPERUSER
from infra.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresReport:
    """How the servers stand, as seen now."""

    primary: str | None  # the server that takes writes; None between the two halves of a promotion
    standby: str | None  # the one that could take over; None when there is none
    fenced: (
        str | None
    )  # the one whose data were set aside by a promotion, and are not made again yet
    primary_answers: bool = False
    standby_answers: bool = False
    replication: Standby | None = None  # as the primary sees it
    # since when the standby may lack commits that were answered; None when it has all of them
    behind_since: str | None = None
    # what the standby keeps of the connector's slot; None when it keeps nothing, or the relay publishes
    slot: SynchronisedSlot | None = None
    needs_slot: bool = False
    troubles: tuple[str, ...] = ()  # why the standby could not take over now; empty when it could

    @property
    def is_protected(self) -> bool:
        return not self.troubles


def report(settings: Settings) -> PostgresReport:
    primary, standby = present(settings)
    found = PostgresReport(
        primary=primary,
        standby=standby,
        fenced=fenced(settings),
        behind_since=Behind(behind_file(settings)).since or None,
        needs_slot=publisher(settings) == "cdc",
    )
    if primary:
        with answering(settings, primary) as connection:
            if connection:
                seen = standbys.look(connection, STANDBY)
                found = replace(found, primary_answers=True, replication=seen)
    if standby:
        with answering(settings, standby) as connection:
            if connection:
                slot = _worst_slot(connection, settings) if found.needs_slot else None
                found = replace(found, standby_answers=True, slot=slot)
    if settings.standby is None:  # there is none in this profile
        return found
    return replace(found, troubles=troubles(found))


def _worst_slot(standby: SyncConnection, settings: Settings) -> SynchronisedSlot | None:
    """Return what the standby keeps of a connector's slot: of several, of one that could not be gone on with."""
    shards = [shard for each in settings.captures for shard in each.shards]
    slots = [standbys.synchronised_slot(standby, each.slot) for each in shards]
    return next((each for each in slots if each is None or each.trouble), slots[0])


@contextmanager
def answering(
    settings: Settings, name: str, database: str = "postgres"
) -> Iterator[SyncConnection | None]:
    """Connect to a server as its superuser, whether it takes writes or not; None when it does not answer."""
    try:
        connection = connect(
            settings.server_url(name, SUPERUSER, database), autocommit=True, connect_timeout=2
        )
    except psycopg.OperationalError:
        yield None
        return
    with connection:
        yield connection


def troubles(found: PostgresReport) -> tuple[str, ...]:
    """Return why the standby could not take over, or will not have everything for long."""
    if found.primary is found.standby is None:
        return ("there are no data of Postgres yet",)
    return (*_unpromotable(found), *_unprotected(found))


def unpromotable(found: PostgresReport) -> str:
    """Return why the standby may not take over, as something would be lost; empty when it may."""
    return "; ".join(_unpromotable(found))


def _unpromotable(found: PostgresReport) -> Iterator[str]:
    if found.standby is None:
        yield "there is no standby"
        return
    if not found.standby_answers:
        yield f"{found.standby}, the standby, does not answer"
        return
    if found.behind_since:
        yield f"{found.standby} may lack what was committed since {found.behind_since}"
    if found.needs_slot and (trouble := found.slot.trouble if found.slot else "is not there yet"):
        yield f"the connector's slot on {found.standby} {trouble}"


def _unprotected(found: PostgresReport) -> Iterator[str]:
    if found.primary is None:
        yield "a promotion was begun and not finished"
    elif not found.primary_answers:
        yield f"{found.primary}, the primary, does not answer"
    elif found.standby and found.replication:
        if found.standby_answers and not found.replication.is_streaming:
            yield f"{found.standby} does not follow {found.primary}"
        if not found.replication.is_waited_for:
            yield f"commits do not wait for {found.standby}"
