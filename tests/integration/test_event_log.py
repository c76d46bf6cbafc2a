"""The event log on Postgres: what it leads to, with snapshots and without, and how it is held against the rows."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import InsufficientPrivilege
from psycopg.types.json import Jsonb

from cdc.database import Connection
from cdc.event_log import AsOf, BrokenLogError, HoleError, Snapshots, State
from cdc.event_log.verification import Finding, Verification, repeatable_read
from cdc.ids import new_id
from cdc.work import RequestWork
from producers.orders import handlers
from producers.orders.domain import ConfirmOrder, Event, Order, PlaceOrder
from producers.orders.event_log import OrderRows, orders_fold
from schemas.messages.orders import OrderLine
from tests.again import show
from tests.event_logs import CONTEXT, LogSchema, cancelled, confirmed, created, open_log
from tests.orders import place, wait_until_decided
from tests.stack import RunningStack


@pytest.fixture(scope="module")
def log(stack: RunningStack) -> Iterator[LogSchema]:
    with open_log(stack) as log:
        yield log


@pytest.fixture
def own_log(stack: RunningStack) -> Iterator[LogSchema]:
    with open_log(stack) as log:
        yield log


def snapshots_every(versions: int) -> Snapshots[Order]:
    return Snapshots(orders_fold(), versions)


async def write(
    log: LogSchema, connection: Connection, history: list[Event], snapshots: Snapshots[Order]
) -> UUID:
    """Write a history event by event, as a service does, with snapshots when they are due."""
    order_id, state = history[0].order_id, None
    for number, event in enumerate(history):
        await log.append(connection, order_id, [event], after=number)
        state = log.log.fold.after(state, event, number + 1)
        await snapshots.take_when_due(connection, str(order_id), number, state)
    await connection.commit()
    return order_id


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Any order, and what may have happened to it: facts are folded, not judged."""
    first = created(
        new_id(), price=draw(st.sampled_from(["0", "0.01", "9.9", "99999.99"])), quantity=3
    )
    later = draw(st.lists(st.sampled_from(["confirmed", "lost", "stolen"]), max_size=9))
    events: list[Event] = [first]
    events += [confirmed(first) if w == "confirmed" else cancelled(first, w) for w in later]
    return events


@given(history=histories(), every=st.integers(0, 4), as_of=st.integers(1, 12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_snapshot_and_later_events_lead_where_all_events_lead(
    log: LogSchema, history: list[Event], every: int, as_of: int
) -> None:
    async def run() -> None:
        async with await log.connect() as connection:
            order_id = str(await write(log, connection, history, snapshots_every(every)))
            taken = await snapshots_every(every).find(connection, [order_id])
            last = len(history) // every * every if every else 0
            assert [state.version for state in taken.values()] == ([last] if last else [])
            for moment in (AsOf(), AsOf(as_of), AsOf(time=datetime.now(UTC))):
                expected = Order.rehydrate(history[: moment.version])
                with_snapshot = await log.log.state(connection, order_id, moment)
                without = await log.log.state(connection, order_id, moment, snapshots=False)
                assert with_snapshot == without == State(expected.version, expected)

    asyncio.run(run())


def test_without_its_snapshots_everything_is_as_it_was(own_log: LogSchema) -> None:
    first = created(new_id())
    again: list[Event] = [confirmed(first), cancelled(first)]
    history: list[Event] = [first, *again, *again]

    async def run() -> None:
        async with await own_log.connect() as connection:
            order_id = str(await write(own_log, connection, history, snapshots_every(2)))
            before = await own_log.log.state(connection, order_id)
            await connection.commit()
            with own_log.owner() as owner:
                assert owner.execute("delete from aggregate_snapshot").rowcount == 1
            assert await own_log.log.state(connection, order_id) == before

    asyncio.run(run())


@pytest.mark.parametrize(
    "spoil",
    [
        "update aggregate_snapshot set shape = '0-of-other-code'",
        "update aggregate_snapshot set state = '{\"order_id\": 3}'",
        "update aggregate_snapshot set version = 40",
    ],
    ids=["other-shape", "unreadable", "beyond-the-log"],
)
def test_a_snapshot_that_cannot_be_used_is_passed_over_and_replaced(
    own_log: LogSchema, spoil: str
) -> None:
    first = created(new_id())
    history: list[Event] = [first, confirmed(first), cancelled(first)]

    async def run() -> None:
        async with await own_log.connect() as connection:
            order_id = str(await write(own_log, connection, history, snapshots_every(2)))
            with own_log.owner() as owner:
                owner.execute(spoil.encode())
            expected = Order.rehydrate(history)
            assert await own_log.log.state(connection, order_id) == State(3, expected)
            if "shape" in spoil:
                await snapshots_every(1).take(connection, order_id, State(3, expected))
                assert (await snapshots_every(1).find(connection, [order_id]))[
                    order_id
                ].version == 3

    asyncio.run(run())


def test_a_snapshot_is_what_makes_the_difference_when_it_is_there(own_log: LogSchema) -> None:
    """Shows that the tests above do compare two ways: a snapshot that says something else is believed."""
    first = created(new_id())

    async def run() -> None:
        async with await own_log.connect() as connection:
            history: list[Event] = [first, confirmed(first)]
            order_id = str(await write(own_log, connection, history, snapshots_every(2)))
            with own_log.owner() as owner:
                owner.execute(
                    "update aggregate_snapshot set state = state || %s",
                    [Jsonb({"customer_id": "eve"})],
                )
            believed = await own_log.log.state(connection, order_id)
            assert believed is not None
            assert believed.value.customer_id == "eve"

    asyncio.run(run())


def test_a_snapshot_is_taken_in_the_transaction_of_its_event(own_log: LogSchema) -> None:
    first = created(new_id())
    snapshots = snapshots_every(2)

    async def run() -> None:
        async with await own_log.connect() as connection:
            key = str(first.order_id)
            confirmation = confirmed(first)
            await own_log.append(connection, first.order_id, [first])
            await connection.commit()
            state = State(2, Order.begin(first).apply(confirmation))
            for end in (connection.rollback, connection.commit):
                await own_log.append(connection, first.order_id, [confirmation], after=1)
                assert await snapshots.take_when_due(connection, key, 1, state)
                await end()
                kept = {} if end == connection.rollback else {key: state}
                assert await snapshots.find(connection, [key]) == kept

    asyncio.run(run())


def test_a_hole_is_named(own_log: LogSchema) -> None:
    first = created(new_id())
    with own_log.owner() as owner:  # the outbox would refuse it
        owner.execute("alter table outbox_event disable trigger outbox_follow")

    async def run() -> None:
        async with await own_log.connect() as connection:
            await own_log.append(connection, first.order_id, [first])
            await own_log.append(connection, first.order_id, [confirmed(first)], after=3)
            with pytest.raises(HoleError, match=f"version 2 of order {first.order_id} is missing"):
                await own_log.log.state(connection, str(first.order_id))

    asyncio.run(run())


def test_an_event_that_cannot_be_read_is_named(own_log: LogSchema) -> None:
    first = created(new_id())

    async def run() -> None:
        async with await own_log.connect() as connection:
            await own_log.append(connection, first.order_id, [first, confirmed(first)])
            await connection.commit()
            spoil(own_log, first.order_id, 2)
            with pytest.raises(BrokenLogError, match=f"version 2 of order {first.order_id} cannot"):
                await own_log.log.state(connection, str(first.order_id))

    asyncio.run(run())


def spoil(log: LogSchema, order_id: UUID, version: int) -> None:
    with log.owner() as owner:
        statement = "update outbox_event set payload = 'secret' where aggregate_id = %s and aggregate_version = %s"
        assert owner.execute(statement, [str(order_id), version]).rowcount == 1


def test_the_service_may_not_delete_its_snapshots(own_log: LogSchema) -> None:
    async def run() -> None:
        async with await own_log.connect() as connection:
            with pytest.raises(InsufficientPrivilege):
                await connection.execute("delete from aggregate_snapshot")

    asyncio.run(run())


async def placed(log: LogSchema, connection: Connection, *, confirm: bool = False) -> Order:
    """Place an order with row and event, as the service does."""
    line = OrderLine(sku="book-1", quantity=1, unit_price=created(new_id()).total)
    command = PlaceOrder(customer_id="ada", currency="EUR", lines=(line,))
    work = RequestWork(connection, log.outbox, CONTEXT)
    order = await handlers.place_order(command, work)
    if confirm:
        paid = ConfirmOrder(order_id=order.order_id, payment_id=new_id())
        [order] = await handlers.decide_orders([(paid, work)], work)
        state = State(order.version, order)
        await snapshots_every(2).take_when_due(connection, str(order.order_id), 1, state)
    return order


async def verified(log: LogSchema) -> tuple[list[Finding], Verification[Order]]:
    async with await log.connect() as connection, repeatable_read(connection):
        work = Verification(connection, log.log, OrderRows())
        return [finding async for finding in work.findings()], work


def test_verifying_finds_whatever_differs_and_names_it(own_log: LogSchema) -> None:
    async def prepare() -> list[Order]:
        async with await own_log.connect() as connection:
            return [await placed(own_log, connection, confirm=True) for _ in range(8)]

    orders = asyncio.run(prepare())
    findings, work = asyncio.run(verified(own_log))
    assert (findings, work.events, work.aggregates, work.snapshots) == ([], 16, 8, 8)

    stranger = created(new_id())

    async def stray() -> None:
        async with await own_log.connect() as connection:
            await own_log.append(connection, stranger.order_id, [stranger])

    asyncio.run(stray())
    differing, without_log, holed, unreadable, snapshotted, *_ = (o.order_id for o in orders)
    with own_log.owner() as owner:
        owner.execute(
            "update customer_order set currency = 'USD', total = 0 where order_id = %s", [differing]
        )
        owner.execute("delete from outbox_event where aggregate_id = %s", [str(without_log)])
        owner.execute(
            "delete from outbox_event where aggregate_id = %s and aggregate_version = 1",
            [str(holed)],
        )
        owner.execute(
            "update aggregate_snapshot set state = jsonb_set(state, '{currency}', '\"USD\"')"
            " where aggregate_id = %s",
            [str(snapshotted)],
        )
    spoil(own_log, unreadable, 1)
    findings, _ = asyncio.run(verified(own_log))
    assert {(finding.aggregate_id, finding.what) for finding in findings} == {
        (str(differing), "row differs"),
        (str(without_log), "no log"),
        (str(holed), "broken log"),
        (str(unreadable), "broken log"),
        (str(snapshotted), "snapshot differs"),
        (str(stranger.order_id), "no row"),
    }
    [row] = [finding for finding in findings if finding.what == "row differs"]
    assert {(each.column, str(each.kept), str(each.folded)) for each in row.differences} == {
        ("currency", "USD", "EUR"),
        ("total", "0.0000", "25.0000"),
    }


def test_verifying_is_right_while_orders_flow(own_log: LogSchema) -> None:
    """Rows and events change while they are compared; without the one moment that both are read as of, they differ."""
    stop, count = threading.Event(), [0]

    def flow() -> None:
        async def run() -> None:
            async with await own_log.connect() as connection:
                while not stop.is_set():
                    await placed(own_log, connection, confirm=count[0] % 2 == 0)
                    await connection.commit()
                    count[0] += 1

        asyncio.run(run())

    writer = threading.Thread(target=flow)
    writer.start()
    try:
        seen = []
        for _ in range(10):
            before = count[0]
            findings, work = asyncio.run(verified(own_log))
            assert findings == []
            seen.append((work.aggregates, count[0] - before))
    finally:
        stop.set()
        writer.join()
    show(any(written for _, written in seen), "no order came while rows were compared")
    assert seen[-1][0] > seen[0][0]


def test_the_commands_tell_of_an_order(stack: RunningStack) -> None:
    order = place(stack)
    wait_until_decided(stack, [order["order_id"]])
    told = json.loads(stack.cli("events", "show", "order", order["order_id"], "--json").stdout)
    first, second = told["events"]
    assert (first["type"], first["payload"]["total"]) == ("orders.OrderCreated", "25.0000")
    assert (second["type"], second["correlation_id"]) == (
        "orders.OrderConfirmed",
        first["correlation_id"],
    )
    assert told["state"]["value"]["status"] == "confirmed"
    payment_id = second["payload"]["payment_id"]

    for moment in ("1", first["occurred_at"]):
        arguments = ("events", "show", "order", order["order_id"], "--as-of", moment, "--json")
        then = json.loads(stack.cli(*arguments).stdout)
        assert (len(then["events"]), then["state"]["value"]["status"]) == (1, "pending")

    shown = stack.cli("events", "show", "order", order["order_id"]).stdout
    assert datetime.fromisoformat(first["occurred_at"]).astimezone().isoformat(" ") in shown

    text = stack.cli("events", "show", "payment", payment_id).stdout
    assert "payments.PaymentCompleted" in text
    assert "No state: payments declares no state" in text

    wrong: tuple[tuple[tuple[str, ...], int, str], ...] = (
        (("order", str(new_id())), 1, "has no event of order"),
        (("order", order["order_id"], "--as-of", "2020-01-01"), 1, "did not exist yet"),
        (("order", order["order_id"], "--as-of", "9"), 1, "has not come to 9 yet"),
        (("parcel", order["order_id"]), 2, "there are order, payment, canary"),
        (("order", order["order_id"], "--as-of", "noon"), 2, "is neither a time such as"),
    )
    for names, status, words in wrong:
        refused = stack.cli("events", "show", *names, check=False)
        assert (refused.returncode, words in refused.stderr) == (status, True), refused.stderr


def test_the_commands_name_what_is_wrong(stack: RunningStack) -> None:
    order = place(stack)
    wait_until_decided(stack, [order["order_id"]])
    verified = json.loads(stack.cli("outbox", "verify", "--json").stdout)
    assert [kind["found"] for kind in verified["kinds"]] == [0]

    with owner(stack) as connection:
        [payload] = one(
            connection,
            "select payload from outbox_event where aggregate_version = 2 and aggregate_id = %s",
            order["order_id"],
        )
        change(connection, order, total="0", payload=b"\x01encrypted")
    try:
        refused = stack.cli("outbox", "verify", check=False)
        assert refused.returncode == 1
        assert f"order {order['order_id']}" in refused.stdout
        shown = stack.cli("events", "show", "order", order["order_id"], check=False)
        assert shown.returncode == 1
        assert "not readable: the first byte is 1, not the magic byte 0" in shown.stdout
        assert "orders.OrderCreated" in shown.stdout
    finally:
        with owner(stack) as connection:
            change(connection, order, total="25", payload=bytes(payload))
    assert stack.cli("outbox", "verify").returncode == 0


def owner(stack: RunningStack) -> "psycopg.Connection[Any]":
    return psycopg.connect(stack.database_url("tailrace_owner"), options="-c search_path=orders")


def one(connection: "psycopg.Connection[Any]", query: str, value: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query.encode(), [value]).fetchone()
    assert row is not None
    return row


def change(
    connection: "psycopg.Connection[Any]", order: dict[str, Any], *, total: str, payload: bytes
) -> None:
    connection.execute(
        "update customer_order set total = %s where order_id = %s", [total, order["order_id"]]
    )
    connection.execute(
        "update outbox_event set payload = %s where aggregate_version = 2 and aggregate_id = %s",
        [payload, order["order_id"]],
    )
