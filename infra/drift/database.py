"""The database held against what is declared of it, and brought back to that."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psycopg

from cdc.database import SyncConnection, connect
from infra.deployment import Capture, Deployment
from infra.drift.difference import Difference
from infra.drift.publication import publication_differences
from infra.drift.roles import role_differences
from infra.drift.schemas import schema_differences
from infra.drift.server import server_differences

RELOAD_S = 2.0
POLL_S = 0.05


def database_differences(deployment: Deployment) -> list[Difference]:
    found: list[Difference] = []
    for capture in deployment.captures:
        with open_database(capture) as connection:
            found += _server_and_roles(capture, connection)
            found += _tables(capture, deployment.state, connection)
    return found


def mend_roles(capture: Capture) -> list[str]:
    """Bring roles and settings of the server back to what is declared; return a line for each thing changed."""
    with open_database(capture) as connection:
        done = _mended(connection, _server_and_roles(capture, connection))
        _reload(connection)
    return done


def mend_tables(capture: Capture, state: Path) -> list[str]:
    """Bring tables, grants and the publication back to what is declared, as far as that costs no row."""
    with open_database(capture) as connection:
        return _mended(connection, _tables(capture, state, connection))


def _server_and_roles(capture: Capture, connection: SyncConnection) -> list[Difference]:
    return [*server_differences(connection), *role_differences(connection, capture)]


def _tables(capture: Capture, state: Path, connection: SyncConnection) -> list[Difference]:
    return [
        *schema_differences(capture, state, connection),
        *publication_differences(connection, capture),
    ]


def _mended(connection: SyncConnection, found: Sequence[Difference]) -> list[str]:
    done = []
    for statements in dict.fromkeys(each.statements for each in found if each.statements):
        if _executed(connection, statements):
            done += [f"{each.thing} mended" for each in found if each.statements == statements]
    return done


def _reload(connection: SyncConnection) -> None:
    """Have the server read its configuration again, which it does a moment later."""
    if not any(each.statements for each in server_differences(connection)):
        return
    connection.execute("select pg_reload_conf()")
    deadline = time.monotonic() + RELOAD_S
    while server_differences(connection) and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _executed(connection: SyncConnection, statements: tuple[str, ...]) -> bool:
    together = connection.transaction() if len(statements) > 1 else nullcontext()
    try:
        with together:
            for statement in statements:
                connection.execute(statement.encode())
    except psycopg.errors.LockNotAvailable:
        return False  # somebody is in the midst of a long transaction
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False
    return True


@contextmanager
def open_database(capture: Capture) -> Iterator[SyncConnection]:
    """Connect as the superuser: what is damaged may be the rights of everybody else."""
    url = capture.url(capture.database.superuser)
    with connect(url, {"lock_timeout": "5s"}, autocommit=True) as connection:
        yield connection
