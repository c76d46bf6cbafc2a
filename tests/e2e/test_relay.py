"""What is to be seen of a stack that the relay publishes for."""

import json
from datetime import UTC, datetime

import pytest

from cdc.relay.handover import SHARDS
from infra.services import OUTBOXES
from infra.settings import Publisher
from tests.orders import place, wait_until_decided
from tests.stack import RunningStack

PUBLISHERS: tuple[Publisher, ...] = ("relay",)


def test_connect_is_no_part_of_it_and_the_relay_is(stack: RunningStack) -> None:
    assert "relay" in stack.status()
    assert "connect" not in stack.status()
    result = stack.cli("restart", "connect", check=False)
    assert result.returncode == 1
    assert "connect is no part of this stack, whose publisher is relay" in result.stderr


def test_the_doctor_finds_nothing(stack: RunningStack) -> None:
    output = stack.cli("doctor").stdout
    assert all(line.startswith("OK ") for line in output.splitlines()), output
    assert "outbox backlog" in output
    assert "connector" not in output


def test_status_names_the_relay_and_what_waits(stack: RunningStack) -> None:
    found = json.loads(stack.cli("relay", "status", "--json").stdout)
    assert len(found["shards"]) == SHARDS
    assert len({shard["holder"] for shard in found["shards"]}) == 1
    assert {backlog["outbox"] for backlog in found["backlogs"]} == set(OUTBOXES)
    assert "pending" in stack.cli("relay", "status").stdout


def test_the_outboxes_are_said_to_be_published_by_it(stack: RunningStack) -> None:
    found = json.loads(stack.cli("outbox", "stats", "--json").stdout)
    assert found["published_by"] == "relay"
    assert found["publisher"]["rows"] >= 0
    told = stack.cli("outbox", "stats").stdout
    assert "The relay has" in told
    assert "slot" not in told


def test_who_publishes_is_not_a_matter_of_which_programs_run(stack: RunningStack) -> None:
    result = stack.cli("connector", "status", check=False)
    assert result.returncode == 1
    assert "The relay publishes here, and needs no connector" in result.stderr
    verify = ("outbox", "verify", "--topic", "order.events", "--json")
    counts = json.loads(stack.cli(*verify, check=False).stdout)["counts"]
    # other tests put records there that no outbox has
    assert (counts["missing"], counts["different"], counts["disordered"]) == (0, 0, 0)


def test_what_waits_while_it_is_down_is_told_and_published_later(stack: RunningStack) -> None:
    stack.stop("relay")
    try:
        order = place(stack)["order_id"]
        result = stack.cli("relay", "status", "--json", check=False)
        assert result.returncode == 1
        found = json.loads(result.stdout)
        assert {shard["holder"] for shard in found["shards"]} == {None}
        assert found["pending"] >= 1
        assert found["oldest_s"] >= 0
        assert "is not running" in stack.cli("doctor", check=False).stdout
    finally:
        stack.start("relay")
    assert wait_until_decided(stack, [order]) == {"confirmed": 1}


def test_a_killed_relay_comes_back(stack: RunningStack) -> None:
    stack.kill("relay")
    order = place(stack)["order_id"]
    assert wait_until_decided(stack, [order]) == {"confirmed": 1}
    stack.wait_ready("relay")


@pytest.mark.parametrize("command", ["status", "apply", "restart", "show", "recover"])
def test_commands_about_the_connector_say_that_the_relay_publishes(
    stack: RunningStack, command: str
) -> None:
    result = stack.cli("connector", command, check=False)
    assert result.returncode == 1
    assert "The relay publishes here" in result.stderr


def test_nothing_is_missing_between_outbox_kafka_and_inboxes(stack: RunningStack) -> None:
    begun = datetime.now(UTC).isoformat()
    order = place(stack)["order_id"]
    assert wait_until_decided(stack, [order]) == {"confirmed": 1}
    window = ("--topic", "order.events", "--from", begun)
    report = json.loads(stack.cli("outbox", "verify", *window, "--json").stdout)
    assert report["ok"]
    assert report["rows"] == report["records"] == 2
    assert report["counts"].get("pending", 0) == 0
