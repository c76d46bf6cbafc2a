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


def _as_declared(deployment: Deployment, compare: Compare, well: str) -> str:
    with open_database(deployment) as connection:
        require_none(compare(connection))
    return well


def database_checks(deployment: Deployment, publisher: Publisher) -> tuple[Check, ...]:
    def check(name: str, compare: Compare, well: str, *needs: str) -> Check:
        return Check(name, partial(_as_declared, deployment, compare, well), needs)

    tables = f"as the migrations make them, of {', '.join(SCHEMAS)}"
    checks = (
        check("server settings", server_differences, "as declared", "postgres"),
        check("roles", role_differences, "as declared", "postgres"),
        check("tables", partial(schema_differences, deployment), tables, "postgres", "roles"),
    )
    if publisher == "relay":
        return checks
    well = f"{PUBLICATION} carries every outbox"
    return (*checks, check("publication", publication_differences, well, "postgres"))
