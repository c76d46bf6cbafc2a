"""The REST contract: what it takes, how it prints, and that readers stand new fields."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.rest.orders.v1 import Order, PlaceOrder

LINE = {"sku": "book", "quantity": 3, "unit_price": "9.99"}
PLACE = {"customer_id": "ada", "currency": "EUR", "lines": [LINE]}
PLACED = {
    **PLACE,
    "order_id": "0198c0de-0000-7000-8000-000000000001",
    "status": "pending",
    "total": "29.9700",
    "placed_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "version": 1,
}


def place(**changes: Any) -> PlaceOrder:
    return PlaceOrder.model_validate({**PLACE, **changes})


@pytest.mark.parametrize(
    ("currency", "given_price", "printed"),
    [
        ("EUR", "9.9", "9.90"),
        ("EUR", Decimal("9.99"), "9.99"),
        ("EUR", 9, "9.00"),
        ("EUR", "0", "0.00"),
        ("JPY", "29.00", "29"),
        ("KWD", "1.234", "1.234"),
    ],
)
def test_prices_print_with_the_currencys_decimals(
    currency: str, given_price: object, printed: str
) -> None:
    order = place(currency=currency, lines=[{**LINE, "unit_price": given_price}])
    assert json.loads(order.model_dump_json())["lines"][0]["unit_price"] == printed


def test_a_float_is_refused_since_its_decimals_are_lost() -> None:
    with pytest.raises(ValidationError, match="plain decimal"):
        place(lines=[{**LINE, "unit_price": 9.99}])


def test_every_line_at_fault_is_named() -> None:
    lines = [{**LINE, "unit_price": price} for price in ("0.001", "1", "0.002")]
    with pytest.raises(ValidationError) as caught:
        place(lines=lines)
    places = [error["loc"] for error in caught.value.errors()]
    assert places == [("lines", 0, "unit_price"), ("lines", 2, "unit_price")]


@pytest.mark.parametrize(
    "customer_id", ["a", "x" * 128, "Ädä Łovelace", "山田", "😀", "o'brien; --"]
)
def test_any_printable_customer_is_welcome(customer_id: str) -> None:
    assert place(customer_id=customer_id).customer_id == customer_id


def test_the_bounds_themselves_are_allowed() -> None:
    line = {"sku": "x" * 128, "quantity": 1_000_000, "unit_price": "0.01"}
    assert len(place(lines=[line] * 500).lines) == 500


@given(st.text(max_size=200))
def test_a_text_is_taken_as_it_is_or_refused(text: str) -> None:
    try:
        assert place(customer_id=text).customer_id == text
    except ValidationError:
        assert not (0 < len(text) <= 128 and text.isprintable() and text == text.strip())


def test_an_order_prints_its_total_with_the_currencys_decimals() -> None:
    printed = json.loads(Order.model_validate(PLACED).model_dump_json(exclude_none=True))
    assert printed["total"] == "29.97"
    assert "cancel_reason" not in printed


def test_an_order_in_a_currency_that_has_gone_can_still_be_read() -> None:
    assert Order.model_validate({**PLACED, "currency": "DEM"}).total == Decimal("29.97")


def test_readers_pass_over_fields_they_do_not_know() -> None:
    lines = [{**LINE, "weight": 5}]
    assert Order.model_validate({**PLACED, "lines": lines, "shipped": True}).version == 1
