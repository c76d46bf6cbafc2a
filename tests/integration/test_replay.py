"""`tailrace replay` into a sandbox: the same effects as live, nothing gets out, and what is different is found."""

import json
import signal
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas.messages.orders import OrderConfirmed, OrderCreated
from tests.kafka import ends_of
from tests.orders import place, place_digital, wait_until_decided
from tests.replays import BackgroundReplay, keys, query, refused, replay, sandboxes
from tests.stack import RunningStack

CUSTOMERS = ("ada", "declined-bob", "cleo")
ORDERS = "--topic=order.events"


@pytest.fixture(scope="module")
def orders(stack: RunningStack) -> list[str]:
    """Orders that were decided: two confirmed, one cancelled."""
    ids = [place_digital(stack, customer_id=name)["order_id"] for name in CUSTOMERS]
    wait_until_decided(stack, ids)
    return ids


def test_payments_in_a_sandbox_are_those_in_earnest_and_nothing_gets_out(
    stack: RunningStack, orders: list[str]
) -> None:
    before = (
        ends_of(stack, "payment.events"),
        query(stack, "payments", "select count(*) from outbox"),
    )
    told = replay(stack, "--consumer=payments", *keys(orders))
    assert told["equal"]
    assert (told["messages"], told["applied"], told["duplicates"], told["parked"]) == (6, 4, 0, 0)
    [table] = told["tables"]
    assert (table["table"], table["equal"], table["left_out"]) == (
        "payment",
        3,
        ["payment_id", "settled_at"],
    )
    assert told["outgoing"]["by_type"] == {
        "payments.PaymentCompleted": 2,
        "payments.PaymentFailed": 1,
    }
    assert {each["payload"]["order_id"] for each in told["outgoing"]["messages"]} == set(orders)
    assert {(each["party"], each["action"], each["times"]) for each in told["outside"]} == {
        ("card processor", "charge", 1)
    }
    assert {each["key"] for each in told["outside"]} == set(orders)
    assert (
        ends_of(stack, "payment.events"),
        query(stack, "payments", "select count(*) from outbox"),
    ) == before
    assert told["sandbox"] is None
    assert not sandboxes(stack)


def test_orders_are_decided_again_from_how_they_were_placed(
    stack: RunningStack, orders: list[str]
) -> None:
    """The event log has the payments, whose keys are not those of the orders."""
    ids = [
        f"--id={message_id}"
        for (message_id,) in query(
            stack,
            "payments",
            "select o.id from outbox as o join payment as p on o.aggregate_id = p.payment_id::text"
            " where p.order_id = any(%s::uuid[])",
            orders,
        )
    ]
    told = replay(stack, "--consumer=orders-worker", "--source=log", *ids)
    assert (told["applied"], told["plan"]["source"]) == (3, "log")
    assert told["outgoing"]["by_type"] == {"orders.OrderConfirmed": 2, "orders.OrderCancelled": 1}
    assert {each["aggregate_version"] for each in told["outgoing"]["messages"]} == {2}


def test_kafka_and_the_event_log_come_to_the_same(stack: RunningStack, orders: list[str]) -> None:
    chosen = ["--consumer=payments", "--type=orders.OrderCreated", *keys(orders)]
    by_kafka, by_log = (replay(stack, *chosen, f"--source={each}") for each in ("kafka", "log"))
    assert by_kafka["messages"] == by_log["messages"] == 3
    assert by_log["equal"]
    for told in (by_kafka, by_log):
        for each in told["outside"]:
            del each["times"]
    assert sorted(by_kafka["outside"], key=str) == sorted(by_log["outside"], key=str)


def test_a_row_that_was_meddled_with_is_found(stack: RunningStack, orders: list[str]) -> None:
    changed, lost, _ = orders
    owner = "tailrace_owner"
    [row] = query(
        stack, owner, "delete from payments.payment where order_id = %s returning *", lost
    )
    query(
        stack, owner, "update payments.payment set amount = amount + 1 where order_id = %s", changed
    )
    try:
        told = replay(stack, "--consumer=payments", *keys(orders), code=1)
        shown = stack.cli("replay", "--consumer=payments", *keys(orders), check=False)
    finally:
        query(
            stack,
            owner,
            "update payments.payment set amount = amount - 1 where order_id = %s",
            changed,
        )
        query(
            stack,
            owner,
            "insert into payments.payment values (%s, %s, %s, %s, %s, %s, %s, %s)",
            *row,
        )
    [table] = told["tables"]
    assert not told["equal"]
    assert (table["missing"], table["extra"], table["different"], table["equal"]) == (0, 1, 1, 1)
    assert table["by_column"] == {"amount": 1}
    rows = {row["key"]["order_id"]: row for row in table["rows"]}
    assert rows[changed]["columns"] == {"amount": {"sandbox": "25.0000", "live": "26.0000"}}
    assert rows[lost]["kind"] == "extra"
    assert "1 extra, 1 different, 1 equal" in shown.stdout
    assert "amount 25.0000 (live 26.0000)" in shown.stdout


def minutes_of(told: dict[str, Any]) -> dict[str, Any]:
    """Return what was found of the orders per minute, which are one of the tables of analytics."""
    [table] = [each for each in told["tables"] if each["table"] == "orders_per_minute"]
    return dict(table)


def test_minutes_of_which_only_a_part_was_replayed_are_told_apart(
    stack: RunningStack, orders: list[str]
) -> None:
    told = replay(stack, "--consumer=analytics", *keys(orders))
    table = minutes_of(told)
    assert told["equal"]
    assert (table["equal"], table["missing"], table["different"]) == (0, 0, 0)
    assert table["compared"]["edge"] > 0


def test_up_to_the_last_message_even_the_present_minute_is_compared(
    stack: RunningStack, orders: list[str]
) -> None:
    def compared(*arguments: str) -> dict[str, int]:
        chosen = ("--consumer=analytics", "--from=1d", *arguments, "--json")
        table = minutes_of(json.loads(stack.cli("replay", *chosen, check=False).stdout))
        return dict(table["compared"])

    wait_until_decided(stack, [place(stack)["order_id"]])
    whole = compared()
    before_the_last = compared(f"--to={datetime.now(UTC).isoformat()}")
    assert "edge" not in whole
    wait_until_decided(stack, [place(stack)["order_id"]])
    last = compared(f"--to={recorded_last(stack).isoformat()}")
    assert "edge" not in before_the_last
    assert last["edge"] > 0


def recorded_last(stack: RunningStack) -> datetime:
    """Return when the last event of an order was recorded; a range to there leaves it out."""
    told = replay(stack, "--topic=order.events", "--dry-run")
    ends = {each["partition"]: each["end"] for each in told["ranges"]}
    spans = [("--from", f"{partition}:{end - 1}") for partition, end in ends.items()]
    words = [word for span in spans for word in span]
    told = replay(stack, "--topic=order.events", *words, "--dry-run")
    return max(datetime.fromisoformat(each["first_at"]) for each in told["ranges"])


def test_a_dry_run_counts_and_makes_nothing(stack: RunningStack, orders: list[str]) -> None:
    chosen = ["--topic=order.events", *keys(orders), "--dry-run"]
    told = replay(stack, *chosen)
    assert told["messages"] == sum(each["messages"] for each in told["ranges"]) == 6
    assert told["selection"]["keys"] == orders
    assert replay(stack, *chosen, "--type=orders.OrderCreated")["messages"] == 3
    assert replay(stack, *chosen, "--where=lines.0.sku=book-1", "--where=total>24")["messages"] == 3
    text = stack.cli("replay", "--topic=order.events", "--from=1h", "--dry-run").stdout
    assert "from Kafka" in text
    assert "messages would be replayed" in text


def test_offsets_choose_exactly_those(stack: RunningStack, orders: list[str]) -> None:
    ends = ends_of(stack, "order.events")
    partition, end = max(ends.items(), key=lambda each: each[1])
    span = ["--topic=order.events", f"--from={partition}:{end - 1}", f"--to={partition}:{end}"]
    told = replay(stack, *span, "--dry-run")
    assert [(each["partition"], each["begin"], each["end"]) for each in told["ranges"]] == [
        (partition, end - 1, end)
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["--consumer=nobody"], 2, "No consumer is called nobody"),
        (["--topic=order.events"], 2, "Say whose handlers"),
        (["--consumer=payments", "--topic=payment.events"], 2, "does not read payment.events"),
        (["--consumer=payments", "--type=orders.OrderLost"], 2, "carries no orders.OrderLost"),
        (["--consumer=payments", ORDERS, "--from=2099-01-01"], 1, "has nothing of order.events"),
        (["--consumer=payments", "--from=1h", "--to=2h"], 2, "before it begins"),
        (["--consumer=payments", ORDERS, "--from=77:1"], 2, "has no partition 77"),
        (["--consumer=payments", ORDERS, "--from=0:99999999"], 1, "is none of them"),
        (["--consumer=payments", ORDERS, "--from=0:1", "--source=log"], 1, "does not know"),
        (["--consumer=payments", "--from=soon"], 2, "neither a time"),
        (["--consumer=payments", "--where=total"], 2, "no condition"),
        (
            ["--consumer=payments", ORDERS, "--where=curency=EUR", "--from=1h"],
            1,
            "no message that was read has a field curency",
        ),
        (["--consumer=payments", "--where=total>>5"], 2, "no condition"),
        (["--consumer=payments", "--where=total>NaN"], 2, "neither more nor less"),
        (["--consumer=payments", "--where=total=NaN"], 2, "total is decimal, which 'NaN' is not"),
        (["--consumer=payments", "--where=total>five"], 2, "total is decimal, which 'five' is not"),
        (["--consumer=payments", "--live", "--to-topic=x"], 2, "exclude each other"),
        (["--consumer=payments", "--force"], 2, "goes with --live"),
        (["--consumer=payments", "--live"], 2, "nobody to ask"),
        (["--topic=nothing.events", "--to-topic=x"], 1, "Kafka has no topic nothing.events"),
        (["--topic=order.events", "--to-topic=order.events"], 1, "name another topic"),
        (["--topic=order.events", "--to-topic=not.there"], 1, "--create makes it"),
        (["--resume=20000101-000000-ffff"], 1, "no replay 20000101-000000-ffff"),
        (["--consumer=payments", "--code=no-such-branch"], 1, "no code at no-such-branch"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(
    stack: RunningStack, orders: list[str], arguments: list[str], code: int, why: str
) -> None:
    assert why in refused(stack, *arguments, code=code)


def test_a_replay_that_is_interrupted_goes_on_where_it_stood(stack: RunningStack) -> None:
    ids = [place(stack)["order_id"] for _ in range(12)]
    wait_until_decided(stack, ids)
    begun = BackgroundReplay(stack, "--consumer=analytics", "--rate=4", "--keep", *keys(ids))
    name = begun.wait_for_effects()
    assert sandboxes(stack)[name] == "at_work"
    said = begun.end(signal.SIGINT)
    assert begun.process.returncode == 1
    assert "--resume" in said
    [[before]] = query(stack, "tailrace_owner", f"select sum(applied) from {name}.consumer_offset")
    assert 0 < before < 24
    assert sandboxes(stack)[name] == "left_behind"
    told = replay(stack, "--resume", "--rate=1000")
    assert (told["sandbox"], told["applied"], told["duplicates"]) == (name, 24, 0)
    assert sandboxes(stack)[name] == "kept"
    assert query(
        stack, "tailrace_owner", f"select sum(placed), sum(confirmed) from {name}.orders_per_minute"
    ) == [(12, 12)]
    stack.cli("replay", "drop", name)
    assert not sandboxes(stack)


def test_a_replay_that_was_killed_leaks_nothing_in_silence(
    stack: RunningStack, orders: list[str]
) -> None:
    begun = BackgroundReplay(stack, "--consumer=analytics", "--rate=1", *keys(orders))
    name = begun.wait_for_effects()
    held = stack.cli("replay", "drop", name, check=False)
    assert (held.returncode, "works in" in held.stderr) == (1, True)
    begun.end(signal.SIGKILL)
    assert sandboxes(stack)[name] == "left_behind"
    assert name in stack.cli("replay", "sandboxes").stdout
    stack.cli("replay", "drop", "--all")
    assert not sandboxes(stack)
    gone = stack.cli("replay", "--resume", check=False)
    assert (gone.returncode, "was dropped" in gone.stderr) == (1, True)


def test_a_kept_sandbox_can_be_looked_at_by_its_service(
    stack: RunningStack, orders: list[str]
) -> None:
    done = stack.cli("replay", "--consumer=payments", "--keep", *keys(orders))
    [name] = sandboxes(stack)
    assert f"search_path={name}" in done.stdout
    rows = query(stack, "payments", f"select order_id from {name}.payment")
    assert {row[0] for row in rows} == set(map(UUID, orders))
    [persistence] = query(
        stack,
        "tailrace_owner",
        "select array_agg(distinct relpersistence) from pg_class"
        " where relnamespace = %s::regnamespace and relkind = 'r'",
        name,
    )[0]
    assert persistence == ["u"], "the connector would have to read past all that a replay writes"
    published = query(
        stack, "tailrace_owner", "select from pg_publication_tables where schemaname = %s", name
    )
    assert not published
    stack.cli("replay", "drop", name)


def test_messages_have_their_types(stack: RunningStack, orders: list[str]) -> None:
    told = replay(
        stack, "--topic=order.events", *keys(orders), f"--type={OrderConfirmed.NAME}", "--dry-run"
    )
    created = replay(
        stack, "--topic=order.events", *keys(orders), f"--type={OrderCreated.NAME}", "--dry-run"
    )
    assert (told["messages"], created["messages"]) == (2, 3)
    assert json.dumps(told)
