"""The REST contract: what it takes, how it prints, and that readers stand new fields."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.rest.orders import short_of
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


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
        "\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0dbd\u0d82\u0d9a\u0dcf",  # Sinhala, with a joiner
        "\u0928\u094d\u200d",  # Nepali, ending with a joiner
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",  # a family
        "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",  # Wales
        "\u2764\ufe0f 1\ufe0f\u20e3",  # variation selectors and a keycap
        "Jean\u00a0Dupont, 12\u202f000, \u5c71\u7530\u3000\u592a\u90ce",  # blanks of typographers
        "e\u0301 q\u0323\u0307",  # combining marks, also such as have no composed letter
        "\u05d0\u05d1\u05f4\u05d2 (\u05d0)\u200f!",  # Hebrew, with a mark of direction
        "\u0600\u0661\u0662",  # an Arabic number sign
        "\U0001fadf \U000323af",  # an emoji and a letter that this Python has not heard of
    ],
)
def test_a_name_of_any_language_is_welcome(name: str) -> None:
    assert place(customer_id=name, lines=[{**LINE, "sku": name}]).lines[0].sku == name


@pytest.mark.parametrize(
    "name",
    [
        *("a\u202eb", "a\u2066b", "a\u202ab", "a\ufeffb", "a\ufff9b", "a\U000e0041b"),
        *("a\u0000b", "a\u001bb", "a\u0085b", "a\u009bb", "a\u2028b", "a\u2029b"),
        *("a\ufffeb", "a\ufdd0b", "a\U0010ffffb", "a\ue000b", "a\ud83db"),
        *("\u00a0a", "a\u3000", "\u00a0", "\u200d", "\u200e\u200c"),
    ],
    ids=ascii,
)
def test_what_hides_or_forges_text_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        place(customer_id=name)
    assert [error["loc"] for error in caught.value.errors()] == [("customer_id",)]


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


@pytest.mark.parametrize("header", [None, "", "x", "{}", "[" * 8000, '["a'])
def test_a_word_of_the_stock_that_cannot_be_read_is_none(header: str | None) -> None:
    assert short_of.read(header) == ()
