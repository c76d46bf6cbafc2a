"""The stack with all consumers in one process: each is still seen, read of and restarted by its name."""

import json

from infra.local.parts import SHARED
from infra.services import WORKERS
from tests.doctor import findings
from tests.orders import place, wait_until_decided
from tests.stack import RunningStack, wait_until_running

NAMES = {worker.name for worker in WORKERS}


def test_every_consumer_is_seen_with_the_process_that_runs_it(stack: RunningStack) -> None:
    parts = {part["name"]: part for part in json.loads(stack.cli("status", "--json").stdout)}
    seen = [parts[name] for name in NAMES]
    assert {part["program"] for part in seen} == {SHARED}
    assert len({part["pid"] for part in seen}) == 1
    assert len({part["url"] for part in seen}) == len(NAMES)
    assert f"{seen[0]['pid']} {SHARED}" in stack.cli("status").stdout
    assert parts["orders"]["program"] == "orders"


def test_a_log_is_that_of_the_consumer(stack: RunningStack) -> None:
    said = stack.cli("logs", "payments-worker", "--lines", "1000").stdout
    first_words = [line for line in said.splitlines() if line.startswith("time=")]
    assert any("health endpoints" in line for line in first_words)
    assert all(" service=payments-worker " in line for line in first_words)
    assert "service=orders-worker" in stack.cli("logs", SHARED, "--lines", "1000").stdout


def test_a_restart_tells_of_those_that_it_concerns(stack: RunningStack) -> None:
    before = stack.status()["orders-worker"].pid
    said = stack.cli("restart", "payments-worker").stdout
    assert said.startswith("payments-worker is ready after")
    assert all(name in said for name in NAMES)
    assert stack.status()["orders-worker"].pid != before


def test_orders_are_fulfilled_through_a_kill_of_the_process(stack: RunningStack) -> None:
    before = {name: part.restarts for name, part in stack.status().items()}
    orders = [place(stack)["order_id"] for _ in range(20)]
    stack.kill("payments-worker")
    orders += [place(stack)["order_id"] for _ in range(20)]
    wait_until_running(stack)
    assert wait_until_decided(stack, orders) == {"confirmed": 40}
    status = stack.status()
    assert {status[name].restarts - before[name] for name in NAMES} == {1}


def test_doing_it_again_leaves_the_process_alone(stack: RunningStack) -> None:
    before = stack.status()["payments-worker"].pid
    done = json.loads(stack.cli("up", "--json").stdout)
    assert done["started"] == []
    assert stack.status()["payments-worker"].pid == before
    restarted = {
        name for name, found in findings(stack).items() if ", restarted " in found["detail"]
    }
    assert restarted >= set(NAMES)
