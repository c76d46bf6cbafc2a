"""Orders made up: repeatable, varied, and such as the storefront accepts."""

from decimal import Decimal
from itertools import islice

from consumers.payments.bootstrap import Settings
from infra.demo.generate import CURRENCIES, GeneratedOrders
from schemas.money.currencies import MINOR_UNIT_DECIMALS
from schemas.rest.orders.v2 import PlaceOrder

LIMIT = Settings.model_fields["card_limit"].default
REFUSED = ("declined", "broke")


def test_the_same_seed_makes_the_same_orders() -> None:
    orders = GeneratedOrders(50, seed=7)
    assert list(orders) == list(orders)
    assert list(orders) == list(islice(GeneratedOrders(500, seed=7), 50))
    assert list(orders) != list(GeneratedOrders(50, seed=8))


def test_two_hundred_orders_show_everything() -> None:
    orders = list(GeneratedOrders(200, seed=1))
    assert {order.currency for order in orders} == set(CURRENCIES)
    assert {MINOR_UNIT_DECIMALS[order.currency] for order in orders} == {0, 2, 3}
    assert {len(order.lines) for order in orders} == {1, 2, 3, 4, 5}
    assert len({order.customer_id for order in orders}) > 10
    assert any(line.unit_price == 0 for order in orders for line in order.lines)
    for prefix in REFUSED:
        assert any(order.customer_id.startswith(prefix) for order in orders)
    assert any(order.total > LIMIT for order in orders)


def test_the_storefront_takes_them_all() -> None:
    for order in GeneratedOrders(500, seed=3):
        asked = PlaceOrder.model_validate_json(order.body())
        assert sum(line.quantity * line.unit_price for line in asked.lines) == order.total


def test_most_are_neither_refused_nor_over_the_limit() -> None:
    for currency in sorted(MINOR_UNIT_DECIMALS):
        orders = list(GeneratedOrders(100, seed=2, currency=currency))
        good = [
            order
            for order in orders
            if order.total <= LIMIT and not order.customer_id.startswith(REFUSED)
        ]
        assert {order.currency for order in orders} == {currency}
        assert len(good) > 60
        assert all(order.total >= Decimal(0) for order in orders)
