"""`tailrace flow show` of what is under way, has failed or is gone, and how it looks for it."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg

from cdc.ids import new_id
from infra.flow.sources import QUERIES, SESSION
from infra.local.probe import wait_until
from infra.operations.flow import Flow, FlowMessage, Taking, flow
from tests.orders import place_digital, wait_until_decided
from tests.outboxes import OutboxSchema
from tests.stack import RunningStack

FILL = """
insert into outbox (id, kind, topic, aggregate_type, aggregate_id, type, payload, correlation_id)
select id, 'message', 'none', 'canary', 'a', 'canary.CanaryEmitted', %(payload)s, correlation_id
from unnest(%(ids)s::uuid[], %(correlations)s::uuid[]) as m (id, correlation_id)
"""


def followed(stack: RunningStack, order_id: str) -> Flow:
    return flow(stack.deployment, order_id)


def taking_of(found: Flow, type_: str, consumer: str) -> tuple[FlowMessage, Taking]:
    [message] = [each for each in found.messages if each.type == type_]
    [taking] = [each for each in message.takings if each.consumer == consumer]
    return message, taking


def rename(stack: RunningStack, order_id: str, other: str) -> None:
    """Have an order's row stand under another id, so that nobody finds it."""
    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        renamed = connection.execute(
            "update orders.customer_order set order_id = %s where order_id = %s", [other, order_id]
        )
        assert renamed.rowcount == 1


def test_an_order_whose_payment_cannot_be_taken_is_shown_with_what_is_parked(
    stack: RunningStack,
) -> None:
    hidden = str(new_id())
    stack.stop("orders-worker")
    order_id = place_digital(stack)["order_id"]
    wait_until(
        "nothing is paid", lambda: len(followed(stack, order_id).messages) == 2, timeout_s=30
    )
    wait_until(
        "it is not in the topic",
        lambda: (
            taking_of(followed(stack, order_id), "payments.PaymentCompleted", "orders-worker")[
                1
            ].state
            == "waiting"
        ),
        timeout_s=30,
    )
    found = followed(stack, order_id)
    assert (found.is_done, found.is_sound) == (False, True)
    assert "it is not through yet" in stack.cli("flow", "show", order_id).stdout

    rename(stack, order_id, hidden)
    try:
        stack.start("orders-worker")
        wait_until("it is not parked", lambda: not followed(stack, order_id).is_sound, timeout_s=60)
        found = followed(stack, order_id)
        message, taking = taking_of(found, "payments.PaymentCompleted", "orders-worker")
        assert taking.state in {"retrying", "dead"}
        assert "OrderNotFoundError: there is no order" in taking.detail
        assert taking.effects == ()
        assert taking.in_topic_s is not None
        assert message.state == "published"
        told = stack.cli("flow", "show", order_id, check=False)
        assert told.returncode == 1
        assert "something has failed" in told.stdout
    finally:
        rename(stack, hidden, order_id)
    retry = ("parked", "retry", str(message.record), "--why", "the order is back")
    told = stack.cli(*retry, check=False)
    # its own time may have come before
    assert told.returncode == 0 or "is not parked" in told.stderr
    wait_until_decided(stack, [order_id])
    found = followed(stack, order_id)
    message, taking = taking_of(found, "payments.PaymentCompleted", "orders-worker")
    [confirmed] = [each for each in found.messages if each.type == "orders.OrderConfirmed"]
    assert (taking.state, list(taking.effects)) == ("taken", [confirmed.message_id])
    assert (found.is_done, found.is_sound) == (True, True)


def test_what_led_to_something_twice_has_two_roots(stack: RunningStack) -> None:
    """A second request is a root of its own. A payment's row is held against no log, which an order's is."""
    order_id = place_digital(stack, customer_id="declined-eve")["order_id"]
    wait_until_decided(stack, [order_id])
    other = new_id()
    with psycopg.connect(stack.database_url("payments")) as connection:
        inserted = connection.execute(
            "insert into outbox (id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload,"
            " correlation_id, causation_id)"
            " select %(id)s, kind, topic, aggregate_type, aggregate_id, 2, type, payload, %(id)s, %(cause)s"
            " from outbox where kind = 'event' and aggregate_type = 'payment' and aggregate_id ="
            " (select payment_id::text from payment where order_id = %(order)s) returning aggregate_id",
            {"id": other, "cause": new_id(), "order": order_id},
        )
        [[payment_id]] = inserted.fetchall()
    found = followed(stack, payment_id)
    assert len(found.correlation_ids) == 2
    roots = [each for each in found.messages if each.parent is None]
    assert [each.cause_is_missing for each in roots] == [False, True]
    assert "which is not recorded any more" in stack.cli("flow", "show", payment_id).stdout


def test_without_kafka_the_rest_is_told(stack: RunningStack) -> None:
    order_id = place_digital(stack)["order_id"]
    wait_until_decided(stack, [order_id])
    wait_until("it is not through", lambda: followed(stack, order_id).is_done, timeout_s=30)
    apart = replace(stack.deployment, kafka_bootstrap="127.0.0.1:1")
    found = flow(apart, order_id)
    assert [each.type for each in found.messages] == [
        "orders.OrderCreated",
        "payments.PaymentCompleted",
        "orders.OrderConfirmed",
    ]
    assert {each.in_outbox_s for each in found.messages} == {None}
    assert found.notes
    assert "Kafka" in found.notes[0]
    assert found.is_done


def test_an_id_of_which_nothing_is_recorded_is_said_with_what_is_kept(stack: RunningStack) -> None:
    for unknown in (str(uuid.uuid4()), "no-such-order"):
        told = stack.cli("flow", "show", unknown, check=False)
        assert told.returncode == 1
        assert f"Nothing is recorded of {unknown}" in told.stderr
        assert "Events are kept for good, and other messages for" in told.stderr
    both = stack.cli("flow", "show", "x", "--mermaid", "--json", check=False)
    assert both.returncode == 2


def test_messages_are_found_without_reading_the_whole_outbox(stack: RunningStack) -> None:
    schema = OutboxSchema(stack)
    try:
        ids = [new_id() for _ in range(20_000)]
        # as random as callers bring them
        correlations = [uuid.uuid4() for _ in ids]
        with schema.connect() as connection:
            connection.execute(
                FILL, {"ids": ids, "correlations": correlations, "payload": bytes(150)}
            )
        owner = schema.owner()
        owner.autocommit = True
        with owner:
            owner.execute("vacuum analyze outbox")
        wanted = {"correlation_id": correlations[700], "id": ids[700], "limit": 10}
        for query in ("messages", "correlations_of_message"):
            assert rows_read(schema, query, wanted) < len(ids) / 4
    finally:
        schema.drop()


def rows_read(schema: OutboxSchema, query: str, parameters: Mapping[str, object]) -> int:
    """Return how many rows of the table a query has looked at, by the plan that the service's role gets."""
    explained = b"explain (analyze, format json) " + QUERIES[query]
    with schema.connect() as connection:
        for name, value in SESSION.items():
            connection.execute("select set_config(%s, %s, true)", [name, value])
        [[[plan]]] = connection.execute(explained, parameters).fetchall()
    scans: list[dict[str, Any]] = []
    below = [plan["Plan"]]
    while below:
        node = below.pop()
        below += node.get("Plans", [])
        if node.get("Relation Name"):
            scans.append(node)
    assert "outbox_message" in json.dumps(scans)
    removed = ("Rows Removed by Index Recheck", "Rows Removed by Filter")
    return sum(
        int(scan["Actual Rows"]) + sum(int(scan.get(name, 0)) for name in removed) for scan in scans
    )
