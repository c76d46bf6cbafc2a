"""Checks of the database: what change data capture rests on, and everything else that is declared of it."""

from collections.abc import Callable, Sequence
from functools import partial

from cdc.database import SyncConnection
from infra.deployment import Deployment, Publisher
from infra.drift.database import open_database
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.drift.roles import role_differences
from infra.drift.schemas import schema_differences
from infra.drift.server import server_differences
from infra.operations.doctor.check import Check
from infra.operations.doctor.differences import require_none
from infra.services import PUBLICATION, SCHEMAS

Compare = Callable[[SyncConnection], Sequence[Difference]]


def _server(deployment: Deployment) -> str:
    return _as_declared(deployment, server_differences, "as declared")


def _roles(deployment: Deployment) -> str:
    return _as_declared(deployment, role_differences, "as declared")


def _tables(deployment: Deployment) -> str:
    def compare(connection: SyncConnection) -> Sequence[Difference]:
        return schema_differences(deployment, connection)

    return _as_declared(
        deployment, compare, f"as the migrations make them, of {', '.join(SCHEMAS)}"
    )


def _publication(deployment: Deployment) -> str:
    return _as_declared(deployment, publication_differences, f"{PUBLICATION} carries every outbox")


def _as_declared(deployment: Deployment, compare: Compare, well: str) -> str:
    with open_database(deployment) as connection:
        require_none(compare(connection))
    return well


def database_checks(deployment: Deployment, publisher: Publisher) -> tuple[Check, ...]:
    """Return the checks of a database with this publisher."""
    checks = (
        Check("server settings", partial(_server, deployment), needs=("postgres",)),
        Check("roles", partial(_roles, deployment), needs=("postgres",)),
        Check("tables", partial(_tables, deployment), needs=("postgres", "roles")),
    )
    if publisher == "relay":
        return checks
    return (*checks, Check("publication", partial(_publication, deployment), needs=("postgres",)))
