"""An order's way from a POST to its effect, through every real part."""

import json

import httpx2
import psycopg

from tests.kafka import records_of
from tests.orders import effects, find, place, projection, wait_until_decided
from tests.stack import RunningStack

NAMES = (
    "می\u200cخواهم O\u2019Brien\u00a0& \u200fשרה\u200e Nguye\u0302\u0303n 山田\u3000太郎 क\u094dष"  # noqa: RUF001 - letters of Persian
)
"""Joiner, apostrophe, no-break and wide blank, marks of direction, letters with two accents."""
EMOJI = "👩\u200d👩\u200d👧\u200d👦 ❤\ufe0f 🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f 🇩🇪 👍🏽"
"""A family put together with joiners, a variant, the flag of Wales by tags, a flag, a tone."""


def test_an_order_is_paid_and_confirmed(stack: RunningStack) -> None:
    before = projection(stack)
    order = place(stack)
    assert (order["status"], order["total"]) == ("pending", "25.00")
    assert wait_until_decided(stack, [order["order_id"]]) == {"confirmed": 1}
    decided = find(stack, order["order_id"])
    assert decided["version"] == 2
    assert decided["payment_id"]
    placed, confirmed, cancelled = projection(stack)
    assert (placed - before[0], confirmed - before[1], cancelled - before[2]) == (1, 1, 0)


def test_an_order_whose_card_is_declined_is_cancelled_with_the_reason(stack: RunningStack) -> None:
    order = place(stack, customer_id="declined-bob")
    assert wait_until_decided(stack, [order["order_id"]]) == {"cancelled": 1}
    assert find(stack, order["order_id"])["cancel_reason"] == "card_declined"


def test_many_orders_each_have_one_effect_everywhere(stack: RunningStack) -> None:
    ids = [place(stack, customer_id=f"customer-{n}")["order_id"] for n in range(30)]
    wait_until_decided(stack, ids)
    found = effects(stack, ids)
    assert (found.payments, found.payment_events, found.order_events) == (30, 30, 60)
    assert found.counted == 60


def test_one_trace_and_one_correlation_run_from_the_request_to_the_last_event(
    stack: RunningStack,
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    correlation = "01a20999-13c2-7477-bc0d-7ecf0b47d38d"
    body = {
        "customer_id": "ada",
        "currency": "EUR",
        "lines": [{"sku": "s", "quantity": 1, "unit_price": 1}],
    }
    answer = httpx2.post(
        f"{stack.settings.url_of('storefront')}/v1/orders",
        json=body,
        headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-correlation-id": correlation},
    )
    order_id = answer.json()["order_id"]
    wait_until_decided(stack, [order_id])
    with psycopg.connect(stack.database_url("orders")) as connection:
        rows = connection.execute(
            "select id, causation_id, correlation_id::text, traceparent from outbox"
            " where aggregate_id = %s order by aggregate_version",
            [order_id],
        ).fetchall()
    created, confirmed = rows
    assert {row[2] for row in rows} == {correlation}
    assert {row[3].split("-")[1] for row in rows} == {trace}
    assert len({row[3].split("-")[2] for row in rows}) == 2
    cause = str(confirmed[1])
    for topic in ("shipment.events", "reservation.events", "payment.events"):
        [record] = records_of(stack, topic)[cause]
        assert record.headers["correlation_id"] == correlation
        cause = str(record.headers["causation_id"])
    assert cause == str(created[0])


def test_records_can_be_read_decoded_with_their_headers(stack: RunningStack) -> None:
    order = place(stack, customer_id=NAMES, lines=[{"sku": EMOJI, "quantity": 2, "unit_price": 1}])
    assert wait_until_decided(stack, [order["order_id"]]) == {"confirmed": 1}
    assert find(stack, order["order_id"])["customer_id"] == NAMES
    printed = stack.cli(
        "topics", "tail", "order.events", "--key", order["order_id"], "--json"
    ).stdout
    created, confirmed = [json.loads(line) for line in printed.splitlines()]
    assert (created["type"], confirmed["type"]) == ("orders.OrderCreated", "orders.OrderConfirmed")
    assert created["value"]["total"] == "2.0000"
    assert created["value"]["customer_id"] == NAMES
    assert created["value"]["lines"][0]["sku"] == EMOJI
    assert created["headers"]["ce_specversion"] == "1.0"
    assert confirmed["headers"]["causation_id"]


def test_every_event_of_an_order_is_kept_in_version_order(stack: RunningStack) -> None:
    order_id = place(stack)["order_id"]
    wait_until_decided(stack, [order_id])
    versions = [
        (record.partition, record.offset, record.headers["aggregate_version"])
        for records in records_of(stack, "order.events").values()
        for record in records
        if record.key == order_id.encode()
    ]
    assert [version for _, _, version in sorted(versions)] == ["1", "2"]
