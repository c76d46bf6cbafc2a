"""Checks of the database: what change data capture rests on, and everything else that is declared of it."""

from collections.abc import Callable, Sequence
from functools import partial

from cdc.database import SyncConnection
from infra.deployment import Capture, Deployment, Publisher
from infra.drift.database import open_database
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.drift.roles import role_differences
from infra.drift.schemas import schema_differences
from infra.drift.server import server_differences
from infra.operations.doctor.captures import of_each
from infra.operations.doctor.check import Check
from infra.operations.doctor.differences import require_none
from infra.services import PUBLICATION

Compare = Callable[[SyncConnection, Capture], Sequence[Difference]]


def _as_declared(deployment: Deployment, compare: Compare, well: str) -> str:
    def look(capture: Capture) -> str:
        with open_database(capture) as connection:
            require_none(compare(connection, capture))
        return well.format(schemas=", ".join(capture.schemas))

    return of_each(deployment.captures, look)


def database_checks(deployment: Deployment, publisher: Publisher) -> tuple[Check, ...]:
    def check(name: str, compare: Compare, well: str, *needs: str) -> Check:
        return Check(name, partial(_as_declared, deployment, compare, well), needs)

    def settings(connection: SyncConnection, _: Capture) -> Sequence[Difference]:
        return server_differences(connection)

    def tables(connection: SyncConnection, capture: Capture) -> Sequence[Difference]:
        return schema_differences(capture, deployment.state, connection)

    def publication(connection: SyncConnection, capture: Capture) -> Sequence[Difference]:
        return publication_differences(connection, capture)

    as_made = "as the migrations make them, of {schemas}"
    checks = (
        check("server settings", settings, "as declared", "postgres"),
        check("roles", role_differences, "as declared", "postgres"),
        check("tables", tables, as_made, "postgres", "roles"),
    )
    if publisher == "relay":
        return checks
    well = f"{PUBLICATION} carries every outbox"
    return (*checks, check("publication", publication, well, "postgres"))
