"""Checks of the database: what change data capture rests on, and everything else that is declared of it."""

from collections.abc import Callable, Sequence

from cdc.database import SyncConnection
from infra.drift.database import open_database
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.drift.roles import role_differences
from infra.drift.schemas import schema_differences
from infra.drift.server import server_differences
from infra.local.doctor.check import Check
from infra.local.doctor.differences import require_none
from infra.services import PUBLICATION, SCHEMAS
from infra.settings import Publisher, Settings

Compare = Callable[[SyncConnection], Sequence[Difference]]


def _server(settings: Settings) -> str:
    return _as_declared(settings, server_differences, "as declared")


def _roles(settings: Settings) -> str:
    return _as_declared(settings, role_differences, "as declared")


def _tables(settings: Settings) -> str:
    def compare(connection: SyncConnection) -> Sequence[Difference]:
        return schema_differences(settings, connection)

    return _as_declared(settings, compare, f"as the migrations make them, of {', '.join(SCHEMAS)}")


def _publication(settings: Settings) -> str:
    return _as_declared(settings, publication_differences, f"{PUBLICATION} carries every outbox")


def _as_declared(settings: Settings, compare: Compare, well: str) -> str:
    with open_database(settings) as connection:
        require_none(compare(connection))
    return well


def database_checks(publisher: Publisher) -> tuple[Check, ...]:
    """Return the checks of a database with this publisher."""
    checks = (
        Check("server settings", _server, needs=("postgres",)),
        Check("roles", _roles, needs=("postgres",)),
        Check("tables", _tables, needs=("postgres", "roles")),
    )
    if publisher == "relay":
        return checks
    return (*checks, Check("publication", _publication, needs=("postgres",)))
