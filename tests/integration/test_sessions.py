"""Sessions of ours depend on no setting of a role, a database or the environment."""

import json
import os
import socket
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from cdc.database import LOST_AFTER_S, SESSION, connect, only_reading
from infra.local.probe import wait_until
from infra.services import SUPERUSER
from tests.orders import find, place
from tests.stack import RunningStack, wait_until_running

HOSTILE = {
    "search_path": "pg_temp",
    "row_security": "off",
    "datestyle": "SQL, DMY",
    "intervalstyle": "sql_standard",
    "timezone": "Asia/Tokyo",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-3",
    "array_nulls": "off",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
    "statement_timeout": "1ms",
    "lock_timeout": "1ms",
    "transaction_timeout": "1ms",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "1ms",
}
ENVIRONMENT = {
    "PGOPTIONS": "-c synchronous_commit=off -c default_transaction_read_only=on",
    "PGDATESTYLE": "SQL, DMY",
    "PGTZ": "Asia/Tokyo",
    "PGCLIENTENCODING": "LATIN1",
    "PGHOSTADDR": "127.0.0.2",
    "PGPASSWORD": "of somebody else",
    "PGSERVICE": "of-somebody-else",
    "PGTARGETSESSIONATTRS": "standby",
    "TZ": "Asia/Tokyo",
}
"""What leads libpq astray, much of it each by itself."""
QUERY = "select name, current_setting(name) from unnest(%s::text[]) as name"
END_SESSIONS = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'orders'"


@pytest.fixture(params=["role", "database"])
def hostile(request: pytest.FixtureRequest, stack: RunningStack) -> Iterator[None]:
    """Give new sessions of the services settings which ours must not take over."""
    whom = {"role": ("role canary", "role orders"), "database": ("database tailrace",)}
    try:
        for each in whom[request.param]:
            administer(stack, *(f"alter {each} set {k} = '{v}'" for k, v in HOSTILE.items()))
        administer(stack, END_SESSIONS)
        yield
    finally:
        administer(stack, *(f"alter {each} reset all" for each in whom[request.param]))
        administer(stack, END_SESSIONS)
        wait_until_running(stack)


def administer(stack: RunningStack, *statements: str) -> None:
    url = stack.database_url(SUPERUSER, "postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_a_session_is_what_we_say(
    stack: RunningStack, hostile: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(psycopg.Error), psycopg.connect(stack.database_url("canary")) as other:
        other.execute("select pg_sleep(0.1)")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with connect(stack.database_url("canary")) as connection:
        rows = connection.execute(QUERY, [list(SESSION)]).fetchall()
    assert {name.lower(): value.replace(", ", ",") for name, value in rows} == SESSION
    assert not [name for name in os.environ if name.startswith("PG")]


def test_orders_are_placed_and_read_as_ever(stack: RunningStack, hostile: None) -> None:
    placed = place(stack)
    assert find(stack, placed["order_id"])["placed_at"] == placed["placed_at"]
    wait_until(
        "the order is not confirmed",
        lambda: find(stack, placed["order_id"])["status"] == "confirmed",
        timeout_s=30,
    )


def test_commands_take_nothing_from_the_environment(stack: RunningStack) -> None:
    elsewhere = RunningStack(stack.settings)
    elsewhere.environment |= ENVIRONMENT
    assert json.loads(elsewhere.cli("outbox", "stats", "--json").stdout)["outboxes"]


def test_who_only_reads_cannot_write_whatever_opens_the_session(stack: RunningStack) -> None:
    url = stack.database_url("analytics")
    with only_reading(), connect(url, autocommit=True) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("delete from parked_message")
    with connect(url, autocommit=True) as connection:
        connection.execute("delete from parked_message where false")


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="a setting of Linux")
def test_a_server_that_is_cut_off_is_given_up_after_seconds(stack: RunningStack) -> None:
    url = stack.database_url("canary")
    other = make_conninfo(url, tcp_user_timeout=60_000)
    for given, lost_after_s in ((url, LOST_AFTER_S), (other, 60)):
        with (
            connect(given) as connection,
            socket.socket(fileno=os.dup(connection.fileno())) as ours,
        ):
            told = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert told == lost_after_s * 1000
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < LOST_AFTER_S
