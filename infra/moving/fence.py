"""Keeping a context out of a database: it may not connect, its sessions are ended, and nobody writes its tables."""

import time

from psycopg import sql

from cdc.database import SyncConnection, connect
from infra.deployment import Capture
from infra.errors import TailraceError

QUIET_S = 30.0
LOOK_EVERY_S = 0.1
END_SESSIONS = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = %s
"""
SESSIONS = """
select count(*) from pg_stat_activity where datname = current_database() and usename = %s
"""
PREPARED = """
select count(*) from pg_prepared_xacts where database = current_database()
"""
MAY_CONNECT = "select has_database_privilege(%s, current_database(), 'connect')"
BY_WHICH = """
select distinct coalesce(rolname, 'public')
from pg_database cross join aclexplode(coalesce(datacl, acldefault('d', datdba)))
left join pg_roles on pg_roles.oid = grantee
where datname = current_database() and privilege_type = 'CONNECT'
  and (grantee = 0 or grantee in (select oid from pg_roles where pg_has_role(%(role)s, oid, 'usage')))
  and not (select rolsuper from pg_roles where rolname = %(role)s)
order by 1
"""
WRITERS = """
select distinct l.pid, coalesce(a.usename, '') from pg_locks as l
join pg_class as c on c.oid = l.relation
left join pg_stat_activity as a on a.pid = l.pid
where l.database = (select oid from pg_database where datname = current_database())
  and c.relnamespace = to_regnamespace(%s) and l.pid <> pg_backend_pid()
  and l.mode not in ('AccessShareLock', 'RowShareLock')
"""


class BusyError(TailraceError):
    """Somebody goes on writing."""


def close(capture: Capture, context: str) -> None:
    """Keep a context out, and return when nothing writes its tables any more."""
    with connect(capture.url(capture.database.superuser), autocommit=True) as connection:
        _change(connection, "revoke connect on database {} from {}", context)
        _require_out(connection, context)
        deadline = time.monotonic() + QUIET_S
        while busy := _busy(connection, context):
            if time.monotonic() > deadline:
                raise BusyError(
                    f"The tables of {context} in {capture.database.name} are written to still, {busy}: end that, "
                    "then try again."
                )
            time.sleep(LOOK_EVERY_S)


def reopen(capture: Capture, context: str) -> None:
    with connect(capture.url(capture.database.superuser), autocommit=True) as connection:
        _change(connection, "grant connect on database {} to {}", context)


def wal_end(capture: Capture) -> str:
    """Return where the WAL of the server ends now."""
    with connect(capture.url(capture.database.superuser), autocommit=True) as connection:
        [[end]] = connection.execute("select pg_current_wal_insert_lsn()::text").fetchall()
    return str(end)


def _require_out(connection: SyncConnection, context: str) -> None:
    """Refuse to go on while the context may connect all the same: what it wrote would not be copied."""
    [[may_connect]] = connection.execute(MAY_CONNECT, [context]).fetchall()
    if not may_connect:
        return
    found = connection.execute(BY_WHICH, {"role": context}).fetchall()
    name = connection.info.dbname
    if not found:
        raise BusyError(
            f"{context} cannot be kept out of the database {name}, as it is a superuser there: run `alter role "
            f"{context} nosuperuser`, then try again."
        )
    grants = "; ".join(f"revoke connect on database {name} from {role}" for (role,) in found)
    raise BusyError(
        f"{context} may connect to the database {name} all the same, by what is granted to PUBLIC or to a role that it "
        f"is a member of: grant connect to whoever else needs it, run `{grants}`, or take {context} out of that role, "
        "then try again."
    )


def _busy(connection: SyncConnection, context: str) -> str:
    connection.execute(END_SESSIONS, [context])
    [[sessions]] = connection.execute(SESSIONS, [context]).fetchall()
    if sessions:
        return f"by {sessions} of its own sessions"
    if writers := connection.execute(WRITERS, [context]).fetchall():
        return "by " + ", ".join(f"pid {pid} of {role or 'nobody'}" for pid, role in writers)
    [[prepared]] = connection.execute(PREPARED).fetchall()
    return f"as {prepared} prepared transactions may do (pg_prepared_xacts)" if prepared else ""


def _change(connection: SyncConnection, statement: str, context: str) -> None:
    connection.execute(
        sql.SQL(statement).format(sql.Identifier(connection.info.dbname), sql.Identifier(context))
    )
