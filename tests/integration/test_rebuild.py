"""`tailrace projections rebuild`: from all messages, while orders flow, and exactly what the worker has taken."""

import json
import threading

from infra.local.probe import wait_until
from tests.again import show
from tests.orders import place, wait_until_decided
from tests.projections import corrupt, from_the_log, live
from tests.replays import query, sandboxes
from tests.stack import RunningStack


class Orders(threading.Thread):
    """Places orders until it is told to stop."""

    def __init__(self, stack: RunningStack) -> None:
        super().__init__()
        self._stack = stack
        self._enough = threading.Event()
        self.placed: list[str] = []

    def run(self) -> None:
        while not self._enough.is_set():
            self.placed.append(place(self._stack, customer_id="ada")["order_id"])

    def stop(self) -> None:
        self._enough.set()
        self.join()


def test_a_rebuild_while_orders_flow_loses_nothing_and_counts_nothing_twice(
    stack: RunningStack,
) -> None:
    grants = "select relacl::text, relowner from pg_class where oid = 'analytics.orders_per_minute'::regclass"
    before = query(stack, "tailrace_owner", grants)
    orders = Orders(stack)
    orders.start()
    try:
        wait_until(
            "no orders flow", lambda: len(orders.placed) > 5 and bool(live(stack)), timeout_s=30
        )
        corrupt(stack)
        seen = len(orders.placed)
        told = json.loads(stack.cli("projections", "rebuild", "analytics", "--json").stdout)
        during = len(orders.placed) - seen
    finally:
        orders.stop()
    show(during, "no order came while the projection was built")
    wait_until_decided(stack, orders.placed)
    assert live(stack) == from_the_log(stack)
    [table] = [each for each in told["tables"] if each["table"] == "orders_per_minute"]
    assert table["removed"] == 1
    assert table["written"] >= 1
    assert query(stack, "tailrace_owner", grants) == before
    assert not sandboxes(stack)


def test_what_is_right_is_left_alone(stack: RunningStack) -> None:
    wait_until_decided(stack, [place(stack)["order_id"]])
    rows = query(stack, "analytics", "select ctid, xmin from orders_per_minute")
    told = json.loads(stack.cli("projections", "rebuild", "analytics-worker", "--json").stdout)
    assert [(each["written"], each["removed"]) for each in told["tables"]] == [(0, 0)] * 2
    assert query(stack, "analytics", "select ctid, xmin from orders_per_minute") == rows


def test_what_waits_in_the_stash_is_left_out(stack: RunningStack) -> None:
    wait_until_decided(stack, [place(stack)["order_id"]])
    query(
        stack,
        "tailrace_owner",
        "insert into analytics.saga_stash (consumer, lock, target, saga_id, replies_to, topic, partition,"
        ' "offset", recorded_at, message_id, type, header_names, header_values, stashed_at)'
        " select 'analytics-worker', 'l', 't', 's', '', topic, 0, 0, now(), id, type, '{}', '{}', now()"
        " from orders.outbox_event where topic = 'order.events' order by seq desc limit 1",
    )
    try:
        stack.cli("projections", "rebuild", "analytics")
        assert live(stack) == from_the_log(stack)
    finally:
        query(stack, "tailrace_owner", "delete from analytics.saga_stash")
    stack.cli("projections", "rebuild", "analytics")
    assert live(stack) == from_the_log(stack)


def test_who_has_no_projection_is_told_so(stack: RunningStack) -> None:
    refused = stack.cli("projections", "rebuild", "payments", check=False)
    assert (refused.returncode, "declares no table as a projection" in refused.stderr) == (1, True)
    unknown = stack.cli("projections", "rebuild", "nobody", check=False)
    assert (unknown.returncode, "No consumer is called nobody" in unknown.stderr) == (2, True)
    listed = json.loads(stack.cli("projections", "list", "--json").stdout)
    assert [each for each in listed if each["consumer"] == "analytics-worker"] == [
        {"consumer": "analytics-worker", "table": table}
        for table in ("orders_per_minute", "sign_ups_per_day")
    ]
