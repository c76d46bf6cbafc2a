"""The orders service against its real database: row and event together, or neither."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import LiteralString
from uuid import UUID, uuid4

import fastavro
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cdc.context import MessageContext
from cdc.database import open_pool
from cdc.ids import new_id
from cdc.outbox import OutsideTransactionError
from cdc.work import RequestWork, UnitOfWork
from producers.orders import handlers
from producers.orders.bootstrap import Settings
from producers.orders.domain import (
    EVENTS,
    CancelOrder,
    ConfirmOrder,
    Event,
    Order,
    OrderStateError,
    PlaceOrder,
    Status,
)
from producers.orders.handlers import OrderNotFoundError
from schemas.codec import HEADER
from schemas.contracts import avsc
from schemas.messages.orders import OrderCreated, OrderLine
from tests.orders_service import Orders, orders_alone, orders_service
from tests.stack import RunningStack

TRACE = "0af7651916cd43dd8448eb211c80319c"
BOOK = {"sku": "book", "quantity": 3, "unit_price": "9.77"}
STAMP = {"sku": "stamp", "quantity": 1, "unit_price": 0.02}
BODY = {"customer_id": "Ädä", "currency": "EUR", "lines": [BOOK, STAMP]}
COMMAND = PlaceOrder(
    customer_id="ada",
    currency="EUR",
    lines=(OrderLine(sku="book", quantity=3, unit_price=Decimal("9.99")),),
)
TAXED: LiteralString = """'[{"sku":"a","quantity":1,"unit_price":"1",%s}]'"""
CONTEXT = MessageContext(correlation_id=uuid4())


def decoded(name: str, payload: bytes) -> Event:
    """Decode with the schema at hand: what the registry answers is not in question here."""
    [message] = [event for event in EVENTS if name == event.NAME]
    schema = fastavro.parse_schema(avsc(name))
    datum = fastavro.schemaless_reader(io.BytesIO(payload[HEADER.size :]), schema, None)
    assert isinstance(datum, dict)
    return message.from_avro(datum)


async def history(orders: Orders, order_id: object) -> list[Event]:
    return [decoded(row["type"], row["payload"]) for row in await orders.events(order_id)]


@pytest.fixture(scope="module")
def settings(stack: RunningStack) -> Iterator[Settings]:
    with orders_alone(stack, "orders_alone") as settings:
        yield settings


@asynccontextmanager
async def unit_of_work(orders: Orders) -> AsyncIterator[UnitOfWork]:
    async with open_pool(orders.url) as pool, pool.connection() as c, c.transaction():
        yield RequestWork(c, orders.outbox, CONTEXT)


async def placed(orders: Orders) -> Order:
    async with unit_of_work(orders) as work:
        return await handlers.place_order(COMMAND, work)


def test_an_order_becomes_a_row_and_an_event(settings: Settings) -> None:
    correlation_id = str(new_id())
    parent = f"00-{TRACE}-b7ad6b7169203331-01"
    headers = {"x-correlation-id": correlation_id, "traceparent": parent}

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            answer = await orders.client.post("/v1/orders", json=BODY, headers=headers)
            assert answer.status_code == 201
            order = answer.json()
            assert answer.headers["location"] == f"/v1/orders/{order['order_id']}"
            assert (order["status"], order["total"], order["version"]) == ("pending", "29.33", 1)

            row = await orders.row(order["order_id"])
            assert row is not None
            assert (row["customer_id"], row["total"]) == ("Ädä", Decimal("29.33"))
            assert row["lines"] == [BOOK, {**STAMP, "unit_price": "0.02"}]

            [event] = await orders.events(order["order_id"])
            assert (event["kind"], event["aggregate_type"], event["aggregate_version"]) == (
                "event",
                "order",
                1,
            )
            assert (event["topic"], event["type"]) == ("order.events", "orders.OrderCreated")
            assert str(event["correlation_id"]) == correlation_id
            assert event["traceparent"].startswith(f"00-{TRACE}-")
            assert event["traceparent"] != parent

            shown = await orders.client.get(answer.headers["location"])
            assert shown.json() == order

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("currency", "unit_price", "total"),
    [("JPY", 29, "87"), ("KWD", "0.001", "0.003"), ("EUR", 0, "0.00"), ("CLF", "1.2345", "3.7035")],
)
def test_money_comes_back_as_it_went_in(
    settings: Settings, currency: str, unit_price: object, total: str
) -> None:
    body = {**BODY, "currency": currency, "lines": [{**BOOK, "unit_price": unit_price}]}

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            order = (await orders.client.post("/v1/orders", json=body)).json()
            assert order["total"] == total
            shown = (await orders.client.get(f"/v1/orders/{order['order_id']}")).json()
            assert shown == order
            [created] = await history(orders, order["order_id"])
            assert created.total == Decimal(total)

    asyncio.run(scenario())


def test_an_order_with_tax_is_one_order_in_every_version(settings: Settings) -> None:
    body = {
        **BODY,
        "lines": [{**BOOK, "tax_rate": 0.07}, {**STAMP, "tax_rate": "0"}],
    }

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            answer = await orders.client.post("/v2/orders", json=body)
            assert answer.status_code == 201
            order = answer.json()
            assert answer.headers["location"] == f"/v2/orders/{order['order_id']}"
            assert (order["net"], order["tax"], order["total"]) == ("29.33", "2.05", "31.38")
            assert [line["tax"] for line in order["lines"]] == ["2.05", "0.00"]
            assert (await orders.client.get(answer.headers["location"])).json() == order

            old = (await orders.client.get(f"/v1/orders/{order['order_id']}")).json()
            assert old["total"] == "31.38"
            assert [(x["sku"], x["quantity"], x["unit_price"]) for x in old["lines"]] == [
                ("book", 2, "10.45"),
                ("book", 1, "10.46"),
                ("stamp", 1, "0.02"),
            ]

            row = await orders.row(order["order_id"])
            assert row is not None
            assert row["lines"] == [
                {**BOOK, "tax_rate": "0.07", "tax": "2.05"},
                {**STAMP, "unit_price": "0.02", "tax_rate": "0", "tax": "0.00"},
            ]
            async with unit_of_work(orders) as work:
                kept = await handlers.find_order(work.connection, UUID(order["order_id"]))
            assert Order.rehydrate(await history(orders, order["order_id"])) == kept

    asyncio.run(scenario())


def test_an_order_of_version_1_has_no_tax_in_version_2(settings: Settings) -> None:
    async def scenario() -> None:
        async with orders_service(settings) as orders:
            placed = (await orders.client.post("/v1/orders", json=BODY)).json()
            order = (await orders.client.get(f"/v2/orders/{placed['order_id']}")).json()
            assert (order["net"], order["tax"], order["total"]) == ("29.33", "0.00", "29.33")
            assert {(line["tax_rate"], line["tax"]) for line in order["lines"]} == {("0", "0.00")}
            [created] = await history(orders, placed["order_id"])
            assert isinstance(created, OrderCreated)
            assert {(line.tax_rate, line.tax) for line in created.lines} == {(None, None)}

    asyncio.run(scenario())


def test_the_largest_order_with_tax_fits(settings: Settings) -> None:
    line = {"sku": "s", "quantity": 1_000_000, "unit_price": "999999.99", "tax_rate": "0.999999"}
    body = {"customer_id": "ada", "currency": "EUR", "lines": [line] * 500}

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            answer = await orders.client.post("/v2/orders", json=body)
            assert answer.status_code == 201
            path = f"/v1/orders/{answer.json()['order_id']}"
            assert (await orders.client.get(path)).json()["total"] == answer.json()["total"]

    asyncio.run(scenario())


def test_the_largest_order_fits(settings: Settings) -> None:
    line = {"sku": "\U0001f600" * 128, "quantity": 1_000_000, "unit_price": "1999999.99"}
    body = {"customer_id": "山" * 128, "currency": "EUR", "lines": [line] * 500}

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            answer = await orders.client.post("/v1/orders", json=body)
            assert answer.status_code == 201
            assert answer.json()["total"] == "999999995000000.00"
            assert len(answer.json()["lines"]) == 500

    asyncio.run(scenario())


def test_a_rolled_back_order_never_was(settings: Settings) -> None:
    async def place_and_fail(orders: Orders) -> None:
        async with unit_of_work(orders) as work:
            order = await handlers.place_order(COMMAND, work)
            raise LookupError(order.order_id)

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            with pytest.raises(LookupError) as caught:
                await place_and_fail(orders)
            [order_id] = caught.value.args
            assert await orders.row(order_id) is None
            assert await orders.events(order_id) == []

    asyncio.run(scenario())


def test_outside_a_transaction_nothing_is_written(settings: Settings) -> None:
    async def scenario() -> None:
        async with orders_service(settings) as orders:
            count = "select count(*) from customer_order"
            async with await psycopg.AsyncConnection.connect(orders.url, autocommit=True) as c:
                before = await (await c.execute(count)).fetchone()
                with pytest.raises(OutsideTransactionError):
                    await handlers.place_order(COMMAND, RequestWork(c, orders.outbox, CONTEXT))
                assert await (await c.execute(count)).fetchone() == before

    asyncio.run(scenario())


@pytest.mark.parametrize("wish", ["confirm", "cancel"])
def test_an_order_ends_once_and_its_history_tells_how(settings: Settings, wish: str) -> None:
    async def end(orders: Orders, order_id: UUID) -> Order:
        async with unit_of_work(orders) as work:
            if wish == "confirm":
                confirm = ConfirmOrder(order_id=order_id, payment_id=new_id())
                return (await handlers.decide_orders([(confirm, work)], work))[0]
            cancel = CancelOrder(order_id=order_id, reason="card_declined")
            return await handlers.cancel_order(cancel, work)

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            order_id = (await placed(orders)).order_id
            ended = await end(orders, order_id)
            assert await end(orders, order_id) == ended
            assert Order.rehydrate(await history(orders, order_id)) == ended
            assert len(await orders.events(order_id)) == 2

            shown = (await orders.client.get(f"/v1/orders/{order_id}")).json()
            assert shown["status"] == ("confirmed" if wish == "confirm" else "cancelled")
            assert shown.get("cancel_reason") == (None if wish == "confirm" else "card_declined")

    asyncio.run(scenario())


def test_two_who_end_an_order_at_once_have_one_winner(settings: Settings) -> None:
    async def confirm(orders: Orders, order_id: UUID) -> Order:
        command = ConfirmOrder(order_id=order_id, payment_id=new_id())
        async with unit_of_work(orders) as work:
            return (await handlers.decide_orders([(command, work)], work))[0]

    async def cancel(orders: Orders, order_id: UUID) -> Order:
        command = CancelOrder(order_id=order_id, reason="too_slow")
        async with unit_of_work(orders) as work:
            return await handlers.cancel_order(command, work)

    async def scenario() -> None:
        async with orders_service(settings) as orders:
            for _ in range(5):
                order_id = (await placed(orders)).order_id
                decided, cancelled = await asyncio.gather(
                    confirm(orders, order_id), cancel(orders, order_id), return_exceptions=True
                )
                assert isinstance(decided, Order)
                if decided.status is Status.CONFIRMED:
                    assert isinstance(cancelled, OrderStateError), "whoever cancels is told"
                else:
                    assert decided == cancelled, "whoever confirms is told how it was decided"
                assert Order.rehydrate(await history(orders, order_id)) == decided

    asyncio.run(scenario())


def test_an_order_nobody_placed_is_not_found(settings: Settings) -> None:
    async def scenario() -> None:
        async with orders_service(settings) as orders:
            missing = new_id()
            answer = await orders.client.get(f"/v1/orders/{missing}")
            assert answer.status_code == 404
            assert answer.json()["type"] == "urn:tailrace:problem:order-not-found"
            command = ConfirmOrder(order_id=missing, payment_id=new_id())
            with pytest.raises(OrderNotFoundError):
                async with unit_of_work(orders) as work:
                    await handlers.decide_orders([(command, work)], work)

    asyncio.run(scenario())


def test_without_its_database_the_service_says_so(settings: Settings) -> None:
    async def scenario() -> None:
        nowhere = make_conninfo(settings.database_url, host="127.0.0.1", port=9)
        lost = settings.model_copy(update={"database_url": nowhere})
        async with orders_service(lost) as orders:
            for method, path in (("POST", "/v1/orders"), ("GET", "/health")):
                body = BODY if method == "POST" else None
                answer = await orders.client.request(method, path, json=body)
                assert answer.status_code == 503
                assert answer.headers["content-type"] == "application/problem+json"
                assert int(answer.headers["retry-after"]) >= 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("status", "'lost'", "customer_order_status"),
        ("status", "'confirmed'", "customer_order_paid"),
        ("status", "'cancelled'", "customer_order_reason"),
        ("customer_id", "''", "customer_order_customer_id"),
        ("currency", "'eur'", "customer_order_currency"),
        ("total", "-0.01", "customer_order_total"),
        ("updated_at", "now() - interval '1 day'", "customer_order_time"),
        ("version", "0", "customer_order_version"),
        ("lines", "'{}'", "customer_order_lines"),
        ("lines", "'[]'", "customer_order_lines"),
        ("lines", "'[{}]'", "customer_order_lines"),
        ("lines", """'[{"sku":"","quantity":1,"unit_price":"1"}]'""", "customer_order_lines"),
        ("lines", """'[{"sku":"a","quantity":0,"unit_price":"1"}]'""", "customer_order_lines"),
        ("lines", """'[{"sku":"a","quantity":1,"unit_price":1}]'""", "customer_order_lines"),
        ("lines", """'[{"sku":"a","quantity":1,"unit_price":"-1"}]'""", "customer_order_lines"),
        ("lines", """'[[{"sku":"a","quantity":1,"unit_price":"1"}]]'""", "customer_order_lines"),
        ("lines", TAXED % '"tax":"1"', "customer_order_lines"),
        ("lines", TAXED % '"tax_rate":"0.1"', "customer_order_lines"),
        ("lines", TAXED % '"tax_rate":"0.1","tax":1', "customer_order_lines"),
        ("lines", TAXED % '"tax_rate":"0.1","tax":null', "customer_order_lines"),
        ("lines", TAXED % '"tax_rate":"0.1","tax":"-1"', "customer_order_lines"),
        ("lines", TAXED % '"tax_rate":0.1,"tax":"1"', "customer_order_lines"),
        ("lines", TAXED % '"tax_rate":"1.1","tax":"1"', "customer_order_lines"),
        ("lines", TAXED % '"taxes":"1"', "customer_order_lines"),
        ("fulfilment", "'both'", "customer_order_fulfilment"),
    ],
)
def test_bad_states_cannot_be_written(
    settings: Settings, column: str, value: LiteralString, constraint: str
) -> None:
    good: dict[str, LiteralString] = {
        "order_id": "gen_random_uuid()",
        "customer_id": "'ada'",
        "status": "'pending'",
        "currency": "'EUR'",
        "lines": """'[{"sku":"a","quantity":1,"unit_price":"1.00"}]'""",
        "total": "1",
        "fulfilment": "'choreography'",
        "placed_at": "now()",
        "updated_at": "now()",
        "version": "1",
    }
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(insert(good))
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            connection.execute(insert({**good, column: value}))
        assert caught.value.diag.constraint_name == constraint
        connection.rollback()


def insert(values: dict[str, LiteralString]) -> sql.Composed:
    comma = sql.SQL(", ")
    return sql.SQL("insert into customer_order ({}) values ({})").format(
        comma.join(map(sql.Identifier, values)), comma.join(map(sql.SQL, values.values()))
    )


@pytest.mark.parametrize(
    "statement",
    [
        b"update customer_order set total = 0",
        b"update customer_order set lines = '[]'",
        b"delete from customer_order",
        b"truncate customer_order",
        b"update outbox set payload = ''",
        b"delete from outbox",
        b"delete from outbox_event",
    ],
)
def test_the_service_cannot_rewrite_what_was(settings: Settings, statement: bytes) -> None:
    with (
        psycopg.connect(settings.database_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)
