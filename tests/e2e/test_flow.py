"""`tailrace flow show`: an order's way told from what was recorded on it."""

import json
from typing import Any

from infra.local.probe import wait_until
from tests.orders import place_digital, wait_until_decided
from tests.stack import RunningStack


def shown(stack: RunningStack, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.cli("flow", "show", id_, "--json").stdout)
    return found


def test_an_order_is_told_by_its_causes_and_with_its_waits(stack: RunningStack) -> None:
    order_id = place_digital(stack)["order_id"]
    wait_until_decided(stack, [order_id])
    wait_until("it is not through", lambda: shown(stack, order_id)["is_done"], timeout_s=30)
    flow = shown(stack, order_id)
    created, paid, confirmed = flow["messages"]
    assert [(each["type"], each["service"], each["depth"]) for each in flow["messages"]] == [
        ("orders.OrderCreated", "orders", 0),
        ("payments.PaymentCompleted", "payments", 1),
        ("orders.OrderConfirmed", "orders", 2),
    ]
    assert (created["causation_id"], paid["parent"]) == (None, created["message_id"])
    for message in flow["messages"]:
        assert message["state"] == "published"
        assert message["record"].startswith(f"{message['topic']}/")
        assert -1 < message["in_outbox_s"] < 60
        assert {taking["state"] for taking in message["takings"]} == {"taken"}
    takings = {each["consumer"]: each for each in created["takings"]}
    assert set(takings) >= {"analytics-worker", "inventory-worker", "payments-worker"}
    counting, charging = takings["analytics-worker"], takings["payments-worker"]
    assert counting["effects"] == []
    assert (counting["in_topic_s"], counting["in_handler_s"]) == (None, None)
    assert charging["effects"] == [paid["message_id"]]
    assert -1 < charging["in_topic_s"] < 60
    assert 0 <= charging["in_handler_s"] < 60
    noting, confirming = sorted(paid["takings"], key=lambda each: str(each["consumer"]))
    assert (noting["consumer"], noting["effects"]) == ("inventory-worker", [])
    assert (confirming["consumer"], confirming["effects"]) == (
        "orders-worker",
        [confirmed["message_id"]],
    )
    for other in (flow["correlation_ids"][0], paid["message_id"].upper()):
        found = shown(stack, other)
        assert found["messages"] == flow["messages"], found["asked"]
    lines = stack.cli("flow", "show", order_id).stdout
    assert f"aggregate {order_id}  3 messages, it is through" in lines
    assert "no effect sent" in lines
    diagram = stack.cli("flow", "show", order_id, "--mermaid").stdout.splitlines()
    assert diagram[0] == "sequenceDiagram"
    drawn = [line.split(": ")[1] for line in diagram if "->>" in line]
    assert drawn == ["request", *(m["type"] for m in flow["messages"] for _ in m["takings"])]
