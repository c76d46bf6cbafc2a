"""What somebody changed by hand is named by the doctor, and mended by the command that the doctor names."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the documented names
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from cdc.topic_settings import mend_settings
from infra.drift.database import (
    database_differences,
    mend_roles,
    mend_tables,
    open_database,
)
from infra.drift.declared import Parts, declared_parts
from infra.drift.delivery import FILE, delivery_differences
from infra.drift.difference import Difference
from infra.drift.registry import id_differences, rule_differences
from infra.drift.topics import topic_differences
from infra.local.probe import wait_until
from infra.services import CANARY, OUTBOXES, SUPERUSER
from schemas.messages.orders import OrderCreated
from schemas.registry import SchemaStore
from schemas.registry_subjects import Subjects
from tests.again import show
from tests.doctor import findings
from tests.orders import find, place
from tests.slots import as_superuser
from tests.stack import RunningStack

PLACE = "publication tailrace_outbox"
PUBLICATION = "alter publication tailrace_outbox"
OTHERS = "payments.outbox, analytics.outbox, canary.outbox"
CHANGES = {
    "publication tailrace_outbox: what it publishes": [f"{PUBLICATION} set (publish = 'update')"],
    "publication tailrace_outbox: row filter of orders.outbox": [
        f"{PUBLICATION} set table orders.outbox where (kind = 'message'), {OTHERS}"
    ],
    "publication tailrace_outbox: columns of orders.outbox": [
        f"{PUBLICATION} set table orders.outbox (id, kind), {OTHERS}"
    ],
    "publication tailrace_outbox: rows of partitions": [
        f"{PUBLICATION} set (publish_via_partition_root = false)"
    ],
    "publication tailrace_outbox: owner": [f"{PUBLICATION} owner to postgres"],
    "publication tailrace_outbox: tables": [
        "drop publication tailrace_outbox",
        "create publication tailrace_outbox for all tables",
    ],
    "publication tailrace_outbox": ["drop publication tailrace_outbox"],
    "role payments: login": ["alter role payments nologin"],
    "role tailrace_capture: password": ["alter role tailrace_capture valid until '2020-01-01'"],
    "role analytics: connections": ["alter role analytics connection limit 0"],
    "role orders: session_replication_role": [
        "alter role orders set session_replication_role = replica"
    ],
    "role tailrace_capture: bytea_output": [
        "alter role tailrace_capture set bytea_output = escape"
    ],
    "role orders: member of tailrace_owner": ["grant tailrace_owner to orders"],
    "role tailrace_reader: member of orders": ["grant orders to tailrace_reader"],
    "orders.outbox_delayed: grant tailrace_reader SELECT": [
        "revoke select on orders.outbox_delayed from tailrace_reader"
    ],
    "orders.customer_order: grant tailrace_reader SELECT": [
        "grant select on orders.customer_order to tailrace_reader"
    ],
    "orders.outbox: grant orders DELETE": ["grant delete on orders.outbox to orders"],
    "orders.outbox: grant orders SELECT": ["revoke select on orders.outbox from orders"],
    "payments: use payments USAGE": ["revoke usage on schema payments from payments"],
    "orders.outbox: row level security": ["alter table orders.outbox enable row level security"],
    "orders.outbox_event: rule nothing": [
        "create rule nothing as on insert to orders.outbox_event do instead nothing"
    ],
    "orders.outbox_event: persistence": ["alter table orders.outbox_event set unlogged"],
    "orders.outbox_event: replica identity": [
        "alter table orders.outbox_event replica identity full"
    ],
    "orders.outbox_event: constraint outbox_event_version": [
        "alter table orders.outbox_event drop constraint outbox_event_version"
    ],
    "orders.outbox: trigger outbox_admit": [
        "alter table orders.outbox disable trigger outbox_admit"
    ],
    "orders: function outbox_follow": [
        "alter function orders.outbox_follow() set search_path = public",
    ],
    "orders.outbox: default occurred_at": [
        "alter table orders.outbox alter column occurred_at drop default"
    ],
    "orders.outbox: index outbox_transaction": ["drop index orders.outbox_transaction"],
}
"""What differs -> the statements that make it so."""


def mend(stack: RunningStack) -> list[str]:
    """Bring the database back to what is declared, as `tailrace migrate` does."""
    main = stack.deployment.main
    return mend_roles(main) + mend_tables(main, stack.deployment.state)


@pytest.fixture
def mended(stack: RunningStack) -> Iterator[None]:
    """Bring everything back, whatever became of the test."""
    yield
    mend(stack)
    mend_settings(stack.settings.kafka_bootstrap, stack.deployment.kafka_replication)
    as_superuser(stack, "drop rule if exists nothing on orders.outbox_event")


def test_what_was_changed_in_postgres_is_named_and_mended(
    stack: RunningStack, mended: None
) -> None:
    # those of the publication undo each other, and so come one by one; the others stand side by side
    of_publication = [thing for thing in CHANGES if thing.startswith(PLACE)]
    for things in (*([thing] for thing in of_publication), CHANGES.keys() - {*of_publication}):
        for thing in things:
            for statement in CHANGES[thing]:
                as_superuser(stack, statement)
        assert {*things} <= {each.thing for each in database_differences(stack.deployment)}
        done = mend(stack)
        assert {f"{thing} mended" for thing in things} <= {*done}
    as_superuser(stack, f"{PUBLICATION} set (publish = 'update')")
    assert "tailrace migrate" in findings(stack)["publication"]["remedy"]
    done = json.loads(stack.cli("migrate", "--json").stdout)
    assert done == {"done": [f"{PLACE}: what it publishes mended"], "left": []}


def test_what_no_command_mends_is_said(stack: RunningStack, mended: None) -> None:
    as_superuser(stack, "alter table orders.outbox rename column aggregate_type to kind_of_thing")
    try:
        result = stack.cli("migrate", check=False)
        assert result.returncode == 1
        assert "orders.outbox: column aggregate_type is none" in result.stderr
        assert stack.cli("up", check=False).returncode == 1
    finally:
        as_superuser(
            stack, "alter table orders.outbox rename column kind_of_thing to aggregate_type"
        )


def test_processes_that_find_out_at_once_what_migrations_make_find_the_same(
    stack: RunningStack, tmp_path: Path
) -> None:
    main = stack.deployment.main

    def found(name: str) -> Mapping[str, Parts]:
        (state := tmp_path / name).mkdir()
        with open_database(main) as connection:
            return declared_parts(main, state, connection)

    with ThreadPoolExecutor() as pool:
        one, other = pool.map(found, ("one", "other"))
    with open_database(main) as connection:
        known = declared_parts(main, stack.deployment.state, connection)
    assert one == other == known


def test_topics_that_an_outbox_does_not_admit_any_more_are_named_and_mended(
    stack: RunningStack,
) -> None:
    as_superuser(stack, "delete from orders.outbox_topic where name = 'order.events'")
    as_superuser(stack, "insert into orders.outbox_topic values ('no.such.topic', 1)")
    assert [each.thing for each in database_differences(stack.deployment)] == [
        "orders.outbox_topic: no.such.topic",
        "orders.outbox_topic: order.events",
    ]
    stack.cli("migrate")
    assert not database_differences(stack.deployment)


def test_a_promise_that_was_changed_in_the_registry_is_named_and_mended(
    stack: RunningStack,
) -> None:
    name = OrderCreated.NAME
    with Subjects.open(stack.deployment.registry_writer) as subjects:
        subjects.set_rule(name, "NONE")
    assert [each.thing for each in rule_differences(stack.deployment)] == [
        f"subject {name}: compatibility rule"
    ]
    stack.cli("schema", "publish")
    assert not rule_differences(stack.deployment)


def test_topic_settings_are_named_and_mended(stack: RunningStack, mended: None) -> None:
    alter(stack, "payment.events", {"cleanup.policy": "compact", "retention.ms": "60000"})
    assert [each.thing for each in topic_differences(stack.deployment)] == [
        "topic payment.events: cleanup.policy",
        "topic payment.events: retention.ms",
    ]
    stack.cli("topics", "apply")
    wait_until("settings differ", lambda: not topic_differences(stack.deployment), timeout_s=10)


def test_settings_of_the_broker_are_named_and_mended(stack: RunningStack, mended: None) -> None:
    alter(stack, "1", {"message.max.bytes": "1000"}, kind=ResourceType.BROKER)
    wait_until("no difference", lambda: bool(topic_differences(stack.deployment)), timeout_s=10)
    assert [each.thing for each in topic_differences(stack.deployment)] == [
        "the broker: message.max.bytes"
    ]
    stack.cli("topics", "apply")
    wait_until("it differs", lambda: not topic_differences(stack.deployment), timeout_s=10)


def test_rows_that_were_not_published_are_found_and_published(
    stack: RunningStack, mended: None
) -> None:
    assert not delivery_differences(stack.deployment, 10)
    as_superuser(stack, f"{PUBLICATION} drop table orders.outbox")
    order = place(stack)["order_id"]
    refused = stack.cli("outbox", "backfill", check=False)
    assert "tailrace migrate" in refused.stderr
    # what was not sent is found after a repair by hand, too
    as_superuser(stack, f"{PUBLICATION} add table orders.outbox")
    gap = certain_gap(stack)
    assert gap.thing == "topic order.events: delivery"
    assert gap.remedy == "run `tailrace outbox backfill`"
    assert find(stack, order)["status"] == "pending"
    told = json.loads(stack.cli("outbox", "backfill", "--json").stdout)
    # a canary that was lost in another test may be among them
    published = {each["topic"]: each["published"] for each in told}
    assert {topic: rows for topic, rows in published.items() if topic != "canary.events"} == {
        "order.events": 1
    }
    wait_until(
        "the order is not confirmed",
        lambda: find(stack, order)["status"] == "confirmed",
        timeout_s=30,
    )
    assert json.loads(stack.cli("outbox", "backfill", "--json").stdout) == []
    assert not delivery_differences(stack.deployment, 10)


def test_a_clock_that_was_ahead_keeps_no_row_from_being_looked_for(
    stack: RunningStack, mended: None
) -> None:
    noted = stack.deployment.state / FILE
    place(stack)
    wait_until(
        "not all is delivered",
        lambda: not delivery_differences(stack.deployment, 10),
        timeout_s=60,
    )
    moment = datetime.fromisoformat(json.loads(noted.read_text()))
    with psycopg.connect(stack.database_url(SUPERUSER)) as connection:
        written = [
            connection.execute(f"select max(occurred_at) from {schema}.outbox").fetchall()[0][0]
            for schema in OUTBOXES
            if schema != CANARY
        ]
    assert moment <= max(filter(None, written)), "further than to the newest row"
    noted.write_text(json.dumps((moment + timedelta(hours=1)).isoformat()))
    as_superuser(stack, f"{PUBLICATION} drop table orders.outbox")
    place(stack)
    as_superuser(stack, f"{PUBLICATION} add table orders.outbox")
    assert certain_gap(stack).thing == "topic order.events: delivery"
    stack.cli("outbox", "backfill")
    assert not delivery_differences(stack.deployment, 10)
    assert json.loads(noted.read_text()) < (moment + timedelta(hours=1)).isoformat()


def certain_gap(stack: RunningStack) -> Difference:
    """Wait until the publisher is known to be past the rows: before, they may still be on their way."""
    found: list[Difference] = []

    def seen() -> bool:
        found[:] = delivery_differences(stack.deployment, 10)
        return bool(found)

    wait_until("no gap is seen", seen, timeout_s=60)
    [gap] = found
    return gap


REGISTRY_TABLES = "content, artifacts, artifact_rules, versions, branches, branch_versions"


@pytest.mark.parametrize("published", ["not", "again"])
def test_ids_that_the_registry_has_lost_are_put_back(
    stack: RunningStack, tmp_path: Path, published: str
) -> None:
    name = OrderCreated.NAME
    known = SchemaStore(stack.settings.registry_url, stack.settings.schema_cache)
    first = known.id_of(name)
    lose_registry(stack)
    refused = stack.cli("schema", "publish", check=False)
    assert refused.returncode == 1
    assert f"schema id {first} is unknown to the registry" in refused.stderr
    if published == "again":
        stack.cli("schema", "publish", "--new-ids")
        second = cold(stack, tmp_path / "anew").id_of(name)
        show(second != first, "the registry gave the same id again")
    stack.cli("schema", "restore")
    reader = cold(stack, tmp_path / "reader")
    assert json.loads(reader.schema_of(first)) == json.loads(known.schema_of(first))
    if published == "not":
        assert reader.id_of(name) == first
    stack.cli("schema", "publish")  # the rules of subjects
    assert not id_differences(stack.deployment)


def lose_registry(stack: RunningStack) -> None:
    url = stack.database_url(SUPERUSER, "registry")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"truncate {REGISTRY_TABLES} cascade".encode())
    stack.restart("registry")  # it remembers what it was asked for


def cold(stack: RunningStack, cache: Path) -> SchemaStore:
    return SchemaStore(stack.settings.registry_url, cache)


def alter(
    stack: RunningStack,
    name: str,
    values: dict[str, str],
    kind: ResourceType = ResourceType.TOPIC,
) -> None:
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka_bootstrap, "log_level": 0})
    resource = ConfigResource(
        kind,
        name,
        incremental_configs=[
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in values.items()
        ],
    )
    [answer] = admin.incremental_alter_configs([resource]).values()
    answer.result()
