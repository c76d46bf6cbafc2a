"""Roles, databases, schemas and grants: brought to the wanted state, left alone where they have it."""

from typing import LiteralString

import psycopg
from psycopg import sql

from cdc.database import connect
from cdc.standby import WAITED_FOR
from infra.deployment import Capture, Deployment
from infra.drift.database import mend_roles
from infra.drift.roles import REPLICATE, ROLES, who_connects
from infra.errors import TailraceError
from infra.local.passwords import ensure_password, ensure_secret
from infra.moving.marks import require_at_home
from infra.services import (
    CAPTURE,
    OWNER,
    PUBLISHER,
    REGISTRY,
    REGISTRY_ADMIN,
    SECRETS,
    STANDBY,
    SUPERUSER,
)
from infra.settings import Settings
from infra.sharding.marks import require_shards
from schemas.files import replace_file

Connection = psycopg.Connection[tuple[object, ...]]


class ProvisionError(TailraceError):
    """The database refuses us."""


def _roles(*, with_standby: bool) -> tuple[str, ...]:
    return (*ROLES, STANDBY) if with_standby else ROLES


def ensure_passwords(settings: Settings) -> None:
    for role in _roles(with_standby=settings.standby is not None):
        ensure_password(settings.secrets, role)
    for name in (PUBLISHER, REGISTRY_ADMIN, *SECRETS):
        ensure_secret(settings.secrets, name)
    _hand_to_connect(settings)


def _hand_to_connect(settings: Settings) -> None:
    """Copy the one password that connectors need to where Connect may read: it shows what a connector refers to."""
    for directory in (settings.connect_secrets.parent, settings.connect_secrets):
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)
    password = ensure_password(settings.secrets, CAPTURE)
    replace_file(settings.connect_secrets / f"{CAPTURE}.password", password)


def provision(deployment: Deployment) -> list[str]:
    """Create what is missing, bring back what was changed, and return a line for each of these."""
    changes: list[str] = []
    with_standby = bool(deployment.database.others)
    with _superuser(deployment, "postgres") as connection:
        for role in _roles(with_standby=with_standby):
            changes += _ensure_role(connection, deployment, role)
        require_at_home(deployment, SUPERUSER)
        require_shards(deployment, SUPERUSER)
        changes += _ensure_database(connection, REGISTRY, REGISTRY)
        _close_to_the_public(connection, "postgres")
        if with_standby:
            _grant_standby(connection)
    for capture in deployment.captures:
        changes += provision_database(deployment, capture)
    return changes


def provision_database(deployment: Deployment, capture: Capture) -> list[str]:
    """Do the same for one database, whose server has the roles."""
    with _superuser(deployment, "postgres") as connection:
        changes = _ensure_database(connection, capture.database.name, OWNER)
        _grant_connect(connection, capture)
    with _superuser(deployment, capture.database.name) as connection:
        _execute(connection, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for schema in capture.schemas:
            changes += _ensure_schema(connection, schema)
    return changes + mend_roles(capture)


def _superuser(deployment: Deployment, database: str) -> Connection:
    url = deployment.main.url(SUPERUSER, database)
    try:
        return connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ProvisionError(
            f"The database does not let its superuser in ({reason}): if the password is the cause, delete "
            f"{deployment.database.passwords / SUPERUSER}.password, then run `make down` and `make up`."
        ) from error


def _ensure_role(connection: Connection, deployment: Deployment, role: str) -> list[str]:
    password = ensure_password(deployment.database.passwords, role)
    # the verifier is computed here, so that the password itself never stands in a statement or a log
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    if not _exists(connection, "SELECT FROM pg_roles WHERE rolname = %s", role):
        replication: LiteralString = "REPLICATION" if role in REPLICATE else "NOREPLICATION"
        _execute(
            connection,
            f"CREATE ROLE {{}} LOGIN {replication} PASSWORD {{}}",
            role,
            literal=verifier,
        )
        return [f"role {role} created"]
    if _may_log_in(deployment, role):
        return []
    _execute(connection, "ALTER ROLE {} PASSWORD {}", role, literal=verifier)
    return [f"password of role {role} reset"]


def _may_log_in(deployment: Deployment, role: str) -> bool:
    capture = deployment.capture_of(role)
    database = REGISTRY if role == REGISTRY else capture.database.name
    try:
        connect(capture.url(role, database)).close()
    except psycopg.OperationalError as error:
        return "password authentication failed" not in str(error)
    return True


def _ensure_database(connection: Connection, database: str, owner: str) -> list[str]:
    if _exists(connection, "SELECT FROM pg_database WHERE datname = %s", database):
        return []
    _execute(connection, "CREATE DATABASE {} OWNER {}", database, owner)
    _close_to_the_public(connection, database)
    return [f"database {database} created"]


def _close_to_the_public(connection: Connection, database: str) -> None:
    _execute(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)


def _grant_connect(connection: Connection, capture: Capture) -> None:
    name = capture.database.name
    for role in who_connects(capture):
        _execute(connection, "GRANT CONNECT ON DATABASE {} TO {}", name, role)
    for role in capture.schemas:
        _execute(connection, "ALTER ROLE {} IN DATABASE {} SET search_path = {}", role, name, role)


def _grant_standby(connection: Connection) -> None:
    """Grant what it takes to follow the primary, and to say whether it is waited for; it may read no table."""
    _execute(connection, "GRANT CONNECT ON DATABASE {} TO {}", "postgres", STANDBY)
    _execute(connection, "GRANT pg_read_all_stats TO {}", STANDBY)
    for setting in WAITED_FOR:
        _execute(connection, "GRANT ALTER SYSTEM ON PARAMETER {} TO {}", setting, STANDBY)
    _execute(connection, "GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {}", STANDBY)


def _ensure_schema(connection: Connection, schema: str) -> list[str]:
    existed = _exists(connection, "SELECT FROM pg_namespace WHERE nspname = %s", schema)
    if not existed:
        _execute(connection, "CREATE SCHEMA {} AUTHORIZATION {}", schema, OWNER)
    _execute(connection, "GRANT USAGE ON SCHEMA {} TO {}", schema, schema)
    return [] if existed else [f"schema {schema} created"]


def _exists(connection: Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, [name]).fetchone() is not None


def _execute(
    connection: Connection, statement: LiteralString, *identifiers: str, literal: str | None = None
) -> None:
    values: list[sql.Composable] = [sql.Identifier(name) for name in identifiers]
    if literal is not None:
        values.append(sql.Literal(literal))
    connection.execute(sql.SQL(statement).format(*values))
