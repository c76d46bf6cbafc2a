"""The database as the stack sets it up: who may do what, and that secrets stay secret."""

import json
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import errors, sql

from infra.drift.roles import ROLES
from infra.local.provision import provision
from infra.services import OWNER, SCHEMAS
from infra.settings import Settings
from tests.stack import RunningStack


def connected(
    stack: RunningStack, role: str, database: str = "tailrace"
) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(stack.database_url(role, database), autocommit=True)


def test_the_server_is_set_up_for_capture(stack: RunningStack) -> None:
    with connected(stack, "postgres", "postgres") as connection:
        settings = dict(connection.execute("select name, setting from pg_settings").fetchall())
    assert settings["wal_level"] == "logical"
    assert settings["max_slot_wal_keep_size"] == "4096"
    assert settings["listen_addresses"] == "127.0.0.1"
    assert settings["unix_socket_directories"] == ""
    assert settings["synchronous_commit"] == "on"
    assert settings["password_encryption"] == "scram-sha-256"


def test_only_the_superuser_is_a_superuser(stack: RunningStack) -> None:
    query = """
        select rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication
          from pg_roles where rolcanlogin and rolname <> 'postgres'
    """
    with connected(stack, OWNER) as connection:
        rows = connection.execute(query).fetchall()
    assert {row[0] for row in rows} == set(ROLES)
    assert not any(row[1] or row[2] or row[3] for row in rows)
    assert [row[0] for row in rows if row[4]] == ["tailrace_capture"]


@pytest.mark.parametrize("role", SCHEMAS)
def test_a_service_lives_in_its_own_schema_and_makes_nothing(
    stack: RunningStack, role: str
) -> None:
    with connected(stack, role) as connection:
        assert connection.execute("show search_path").fetchone() == (role,)
        for schema in (role, "public"):
            statement = sql.SQL("create table {}.t ()").format(sql.Identifier(schema))
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("create temporary table t ()")
        others = connection.execute(
            "select nspname from pg_namespace where has_schema_privilege(oid, 'USAGE')"
            " and nspname = any(%s)",
            [list(SCHEMAS)],
        ).fetchall()
        assert others == [(role,)]


@pytest.mark.parametrize("database", ["registry", "postgres"])
def test_a_service_enters_no_other_database(stack: RunningStack, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connected(stack, "orders", database)


def test_a_wrong_password_is_refused(stack: RunningStack) -> None:
    url = f"postgresql://orders:wrong@127.0.0.1:{stack.settings.postgres_port}/tailrace"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_provisioning_again_changes_nothing(stack: RunningStack) -> None:
    assert provision(stack.deployment) == []


def test_a_lost_password_is_replaced(stack: RunningStack) -> None:
    secret = stack.settings.secrets / "canary.password"
    before = secret.read_text()
    secret.unlink()
    (stack.settings.secrets / "canary.pgpass").unlink()
    assert provision(stack.deployment) == ["password of role canary reset"]
    assert secret.read_text() != before
    connected(stack, "canary").close()


def secrets_of(settings: Settings) -> list[str]:
    return [path.read_text() for path in settings.secrets.glob("*.password")]


def test_no_secret_is_seen_in_processes_logs_or_supervision(stack: RunningStack) -> None:
    secrets = secrets_of(stack.settings)
    # the superuser, two users of the registry, and what the secrets of webhooks are sealed with
    assert len(secrets) == len(ROLES) + 4
    seen = [path.read_text(errors="replace") for path in readable_files(stack.settings.home)]
    for part in stack.status().values():
        process = psutil.Process(part.pid)
        seen += [json.dumps(process.cmdline()), json.dumps(process.environ())]
    assert not any(secret in text for secret in secrets for text in seen)


def readable_files(home: Path) -> list[Path]:
    return [
        path
        for name in ("logs", "supervisor")
        for path in (home / name).iterdir()
        if path.is_file()
    ]
