"""Roles: what each may do at all, whom it belongs to, and the settings that its sessions begin with."""

from collections.abc import Iterator
from typing import Any

from psycopg import sql

from cdc.database import SESSION, SyncConnection
from infra.deployment import Capture
from infra.drift.difference import MIGRATE, Difference
from infra.services import CAPTURE, KEYS, OWNER, READER, REGISTRY, RETENTION, SCHEMAS, STANDBY

ROLES = (OWNER, CAPTURE, REGISTRY, RETENTION, KEYS, READER, *SCHEMAS)
REPLICATE = (CAPTURE, STANDBY)  # the second one is there where a standby is

ATTRIBUTES = """
select rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolconnlimit,
    nullif(rolvaliduntil, 'infinity')::text
from pg_roles where rolname = any(%s)
"""
SWITCHES = ("login", "superuser", "createrole", "createdb", "replication", "bypassrls")
MEMBERS = """
select roleid::regrole::text, member::regrole::text from pg_auth_members
where roleid::regrole::text = any(%(roles)s) or member::regrole::text = any(%(roles)s)
"""
CONNECT = """
select role from unnest(%s::text[]) as role where not has_database_privilege(role, current_database(), 'connect')
"""
SETTINGS = """
select coalesce(r.rolname, ''), coalesce(d.datname, ''), split_part(setting, '=', 1),
    substr(setting, strpos(setting, '=') + 1)
from pg_db_role_setting as s
cross join unnest(s.setconfig) as setting
left join pg_roles as r on r.oid = s.setrole
left join pg_database as d on d.oid = s.setdatabase
where r.rolname = any(%(roles)s) or (r.rolname is null and d.datname = any(%(databases)s))
"""
BEYOND_US = frozenset({"session_replication_role", "session_preload_libraries"})
"""Settings that a session of ours cannot refuse; with the first of them, triggers and foreign keys do nothing."""


def role_differences(connection: SyncConnection, capture: Capture) -> list[Difference]:
    return [
        *_attributes(connection),
        *_members(connection),
        *_connect(connection, capture),
        *_settings(connection, capture),
    ]


def _attributes(connection: SyncConnection) -> Iterator[Difference]:
    for role, *switches, limit, until in connection.execute(ATTRIBUTES, [[*ROLES, STANDBY]]):
        for name, on in zip(SWITCHES, switches, strict=True):
            wanted = name == "login" or (name == "replication" and role in REPLICATE)
            if on != wanted:
                word = name if wanted else f"no{name}"
                yield _difference(
                    f"role {role}: {name}", _yes(wanted), _yes(on), "alter role {} " + word, role
                )
        if limit != -1:
            statement = "alter role {} connection limit -1"
            yield _difference(
                f"role {role}: connections", "unlimited", f"limited to {limit}", statement, role
            )
        if until is not None:
            statement = "alter role {} valid until 'infinity'"
            yield _difference(
                f"role {role}: password", "valid", f"valid until {until}", statement, role
            )


def _members(connection: SyncConnection) -> Iterator[Difference]:
    for group, member in connection.execute(MEMBERS, {"roles": list(ROLES)}):
        yield _difference(
            f"role {member}: member of {group}", "no", "yes", "revoke {} from {}", group, member
        )


def who_connects(capture: Capture) -> tuple[str, ...]:
    """Return the roles that may connect to a database; API keys are in the main one."""
    return (
        OWNER,
        CAPTURE,
        RETENTION,
        READER,
        *((KEYS,) if capture.is_main else ()),
        *capture.schemas,
    )


def _connect(connection: SyncConnection, capture: Capture) -> Iterator[Difference]:
    roles = list(who_connects(capture))
    database = connection.info.dbname
    for (role,) in connection.execute(CONNECT, [roles]):
        yield _difference(
            f"database {database}: connect by {role}",
            "granted",
            "not granted",
            "grant connect on database {} to {}",
            database,
            role,
        )


def _settings(connection: SyncConnection, capture: Capture) -> Iterator[Difference]:
    """Yield settings that change what sessions do; ours set what they depend on, and need no other's."""
    ours = connection.info.dbname
    whom = {"roles": list(ROLES), "databases": [ours, REGISTRY]}
    for role, database, name, value in connection.execute(SETTINGS, whom):
        declared = role in capture.schemas and database == ours and name == "search_path"
        if not (value != role if declared else _has_effect(role, name)):
            continue
        statement, names = _whose(role, database)
        yield _difference(
            f"{' in '.join(filter(None, (role and f'role {role}', database and f'database {database}')))}: {name}",
            repr(role) if declared else "not set",
            repr(value),
            statement + (" set search_path = {}" if declared else f" reset {name}"),
            *names,
            *([role] if declared else []),
        )


def _has_effect(role: str, name: str) -> bool:
    if name in BEYOND_US:
        return True
    # Debezium and the registry begin their sessions without us
    return name.lower() in SESSION and role in {"", CAPTURE, REGISTRY}


def _whose(role: str, database: str) -> tuple[str, tuple[str, ...]]:
    if not role:
        return "alter database {}", (database,)
    if not database:
        return "alter role {}", (role,)
    return "alter role {} in database {}", (role, database)


def _difference(thing: str, declared: str, actual: str, statement: Any, *names: str) -> Difference:
    mended = sql.SQL(statement).format(*map(sql.Identifier, names)).as_string()
    return Difference(
        thing=thing, declared=declared, actual=actual, remedy=MIGRATE, statements=(mended,)
    )


def _yes(on: object) -> str:
    return "on" if on else "off"
