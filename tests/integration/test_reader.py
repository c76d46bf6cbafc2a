"""The role that looks: it may change nothing, sees what the console shows and no secret, and is enough to look."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from starlette.testclient import TestClient

from cdc.database import SyncConnection, connect
from infra.console.app import create_app
from infra.console.installation import Installation
from infra.console.listening import Listening
from infra.local.probe import wait_until
from infra.metrics.server import Exported, sources_of
from infra.services import MIGRATIONS, READER, SCHEMAS, SUPERUSER
from tests.console import TOKEN, park
from tests.orders import place_lines, wait_until_decided
from tests.slots import as_superuser
from tests.stack import RunningStack

PORT = 18999
HOME = f"http://127.0.0.1:{PORT}"
REFUSALS = re.compile("permission denied|cannot be told|nothing can be told|password_files")

OF_PACKAGES = {
    "cdc.migrations.outbox": {"outbox", "outbox_delayed"},
    "cdc.relay.migrations": {"progress", "set_aside"},
    "consumers.runtime.migrations": {
        *("inbox", "inbox_window", "consumer_offset", "saga_lock", "saga_stash"),
        *("parked_sequence", "parked_message", "parked_action"),
    },
    "consumers.sagas.migrations": {
        *("saga_instance", "saga_log", "saga_definition", "saga_action", "saga_run"),
    },
}
"""Package of migrations -> the tables of it that are seen. What else a service keeps is nobody's business."""

TABLES = """
select n.nspname || '.' || c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and (has_table_privilege(%s, c.oid, %s) or has_any_column_privilege(%s, c.oid, %s))
"""
OTHERWISE = """
select 'function ' || p.oid::regprocedure from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = any(%(schemas)s) and p.prosecdef and has_function_privilege(%(role)s, p.oid, 'execute')
union all
select 'sequence ' || c.oid::regclass from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s) and c.relkind = 'S'
    and case c.relkind when 'S' then has_sequence_privilege(%(role)s, c.oid, 'usage, update') end
union all
select 'create in ' || nspname from pg_namespace where has_schema_privilege(%(role)s, oid, 'create')
union all
select privilege || ' in ' || datname from pg_database, unnest(array['create', 'temporary']) as privilege
where not datistemplate and has_database_privilege(%(role)s, oid, privilege)
union all
select 'connect to ' || datname from pg_database
where not datistemplate and has_database_privilege(%(role)s, oid, 'connect')
union all
select 'member of ' || roleid::regrole from pg_auth_members where member = %(role)s::regrole
"""
REFUSED: tuple[LiteralString, ...] = (
    "select digest from tailrace_access.api_key",
    "select owner from tailrace_access.api_key",
    "select from webhooks.endpoint",
    "select from orders.kept_answer",
    "select from orders.customer_order",
    "select from payments.payment",
    "select from notifications.mailbox",
    "select rolpassword from pg_authid",
    "select pg_read_file('/etc/passwd')",
    "insert into payments.inbox select * from payments.inbox limit 0",
    "update payments.saga_lock set held_until = now()",
    "delete from payments.inbox",
    "truncate reports.parked_message",
    "update payments.consumer_offset set next_offset = 0",
    "insert into canary.outbox_hold (reason) values ('mine')",
    "select from canary.maintain_outbox('slot:x', interval '9 days', false)",
    "create table canary.mine (i int)",
    "create temporary table mine (i int)",
    "create schema mine",
    "set role orders",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'orders'",
)


@pytest.fixture
def reader(stack: RunningStack) -> Iterator[SyncConnection]:
    """Connect as the role does, but for what the console's sessions begin with: they might write, if it might."""
    with connect(stack.database_url(READER), autocommit=True) as connection:
        yield connection


def test_a_database_from_before_it_gets_it(stack: RunningStack) -> None:
    """Run before the others, which look at what has come of it."""
    as_superuser(stack, f"drop owned by {READER}")
    as_superuser(stack, f"drop role {READER}")
    done = json.loads(stack.cli("migrate", "--json").stdout)["done"]
    assert f"role {READER} created" in done
    assert f"orders.outbox: grant {READER} SELECT mended" in done


def test_it_may_change_nothing(stack: RunningStack, reader: SyncConnection) -> None:
    for statement in REFUSED:
        with pytest.raises(InsufficientPrivilege):
            reader.execute(statement)
    with psycopg.connect(stack.database_url(SUPERUSER)) as connection:
        for kinds in ("insert, update, references", "delete, truncate, trigger"):
            columns = kinds if "insert" in kinds else "insert"
            asked = [list(SCHEMAS), READER, kinds, READER, columns]
            assert connection.execute(TABLES, asked).fetchall() == []
        found = connection.execute(OTHERWISE, {"schemas": list(SCHEMAS), "role": READER})
        # of the functions that run as the owner one, which does nothing
        plans = {f"function {schema}.outbox_plan(text,interval)" for schema in outboxes()}
        assert {what for (what,) in found} == {*plans, "connect to tailrace"}


def test_it_sees_what_is_shown_and_no_more(stack: RunningStack) -> None:
    with psycopg.connect(stack.database_url(SUPERUSER)) as connection:
        asked = [list(SCHEMAS), READER, "select", READER, "select"]
        found = {name for (name,) in connection.execute(TABLES, asked)}
    assert found == {
        f"{schema}.{table}"
        for schema, packages in MIGRATIONS.items()
        for package in packages
        for table in OF_PACKAGES.get(package, ())
    }


def outboxes() -> list[str]:
    return [name for name, packages in MIGRATIONS.items() if "cdc.migrations.outbox" in packages]


@pytest.fixture
def alone(stack: RunningStack, tmp_path: Path) -> Installation:
    """Give an installation of which no password is at hand but that of the role that looks."""
    deployment = stack.deployment
    file = deployment.database.passfile(READER)
    (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / file.name).chmod(0o600)
    captures = tuple(
        replace(each, database=replace(each.database, passwords=tmp_path), source="elsewhere.toml")
        for each in deployment.captures
    )
    deployment = replace(deployment, captures=captures, source="elsewhere.toml")
    return Installation(deployment=deployment, local=None, mode="act", actor="ada")


def test_it_is_all_that_a_console_needs_to_look(stack: RunningStack, alone: Installation) -> None:
    order = place_lines(stack, {"digital": True}, fulfilment="orchestration")
    wait_until_decided(stack, [order["order_id"]])
    place, _ = park(stack)
    with TestClient(create_app(alone, Listening(port=PORT)), base_url=HOME) as client:

        def page(path: str, text: str) -> str:
            """Ask until a panel has come."""
            wait_until(
                f"{path} does not say {text!r}", lambda: text in client.get(path).text, timeout_s=60
            )
            answer = client.get(path)
            assert answer.status_code == 200
            assert not REFUSALS.search(answer.text)
            return answer.text

        page("/", "by the connector")
        page(f"/flow?id={order['order_id']}", "orders.OrderConfirmed")
        page("/sagas?status=completed", order["order_id"])
        saga = page(f"/saga?id={order['order_id']}", "order-fulfilment")
        page("/parked", "reports-worker")
        message = page(f"/parked/message?place={place}&consumer=reports-worker", "reports")
        page("/topic?name=order.events", "orders.OrderCreated")
        page("/outboxes", "tailrace-outbox")
        page("/schema?name=orders.OrderCreated", "order_id")
        [token, *_] = TOKEN.findall(message + saga)
        asked = {"token": token, "actor": "ada", "why": "a trial", "place": place}
        answer = client.post(
            "/parked/skip", data=asked | {"consumer": "reports-worker"}, headers={"origin": HOME}
        )
        assert answer.status_code == 409
        assert "password_files in elsewhere.toml leads to" in answer.text
        assert "for the role reports" in answer.text
    stack.cli("parked", "skip", place, "--yes", "--why", "a trial")


def test_it_is_all_that_the_metrics_of_the_pipeline_need(alone: Installation) -> None:
    for source in sources_of(Exported(deployment=alone.deployment, local=None)):
        with source.open() as look:
            assert [*look()], source.name
