"""Rows: what becomes of their cells, exact prices, and which rows are one order."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.demo.files import Row
from infra.demo.mapping import resolve
from infra.demo.orders import BadRow, DemoError, Line, NewOrder
from infra.demo.rows import PricedRow, RowReader, split
from infra.demo.source import open_orders
from schemas.money.amounts import MAX_LINES, MAX_QUANTITY, in_currency
from schemas.money.currencies import MINOR_UNIT_DECIMALS


def read(**cells: Any) -> PricedRow | BadRow:
    return RowReader(resolve(tuple(cells), {})).read(Row(17, cells))


def reason(**cells: Any) -> str:
    row = read(**cells)
    assert isinstance(row, BadRow)
    return str(row)


def orders(directory: Path, text: str, **overrides: str) -> list[NewOrder | BadRow]:
    path = directory / ("orders.jsonl" if text.startswith("{") else "orders.csv")
    path.write_text(text)
    with open_orders(path, overrides=overrides) as source:
        return list(source)


@st.composite
def line_totals(draw: st.DrawFn) -> tuple[int, str, Decimal]:
    currency = draw(st.sampled_from(sorted(MINOR_UNIT_DECIMALS)))
    minor_units = draw(st.integers(0, 10**9) | st.integers(0, 10))
    amount = Decimal(minor_units).scaleb(-MINOR_UNIT_DECIMALS[currency])
    return draw(st.integers(1, MAX_QUANTITY)), currency, in_currency(amount, currency)


@given(line_totals())
def test_a_split_keeps_quantity_and_amount_exactly(total: tuple[int, str, Decimal]) -> None:
    quantity, currency, amount = total
    lines = split("tea", quantity, amount)
    assert sum(line.quantity for line in lines) == quantity
    assert sum(line.total for line in lines) == amount
    assert all(in_currency(line.unit_price, currency) == line.unit_price for line in lines)


@given(line_totals())
def test_a_split_is_as_even_as_the_minor_unit_allows(total: tuple[int, str, Decimal]) -> None:
    quantity, currency, amount = total
    lines = split("tea", quantity, amount)
    prices = [line.unit_price for line in lines]
    assert 1 <= len(lines) <= 2
    assert max(prices) - min(prices) in {0, Decimal(1).scaleb(-MINOR_UNIT_DECIMALS[currency])}


def test_an_amount_that_cannot_be_shared_out_evenly_becomes_two_lines() -> None:
    row = read(customer="ada", quantity="3", amount="10.00")
    assert isinstance(row, PricedRow)
    assert row.lines == (Line("item", 2, Decimal("3.33")), Line("item", 1, Decimal("3.34")))
    assert row.amount == Decimal("10.00")


def test_a_zero_amount_is_an_order_like_any_other() -> None:
    row = read(customer="ada", quantity="2", amount="0.0")
    assert isinstance(row, PricedRow)
    assert row.lines == (Line("item", 2, Decimal("0.00")),)


def test_json_numbers_are_as_good_as_text() -> None:
    row = read(customer=Decimal(7), qty=Decimal("2.0"), price=Decimal("1.10"), ccy="eur")
    assert isinstance(row, PricedRow)
    assert (row.customer_id, row.currency) == ("7", "EUR")
    assert row.lines == (Line("item", 2, Decimal("1.10")),)


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"quantity": "two"}, 'quantity "two" is not a whole number'),
        ({"quantity": "1.5"}, 'quantity "1.5" is not a whole number'),
        ({"quantity": "1e3"}, 'quantity "1e3" is not a whole number'),
        ({"quantity": "٣"}, 'quantity "٣" is not a whole number'),
        ({"quantity": "0"}, 'quantity "0" is not from 1 to 1,000,000'),
        ({"quantity": "-1"}, 'quantity "-1" is not from 1 to 1,000,000'),
        ({"quantity": ""}, "quantity is empty"),
        ({"quantity": None}, "quantity is empty"),
        ({"customer": " "}, "customer is empty"),
        ({"customer": "a\udcff"}, 'customer "a\\xff" is not UTF-8'),
        ({"customer": ["ada"]}, "customer is neither text nor a number"),
        ({"amount": "29,33"}, 'amount "29,33" is not a decimal number such as 29.33'),
        ({"amount": "$1"}, 'amount "$1" is not a decimal number such as 29.33'),
        ({"amount": "NaN"}, 'amount "NaN" is not a decimal number such as 29.33'),
        ({"amount": Decimal("1e400")}, 'amount "1E+400" is not a decimal number such as 29.33'),
        (
            {"quantity": "1.000"},
            'quantity "1.000" is ambiguous: its dot may separate thousands or decimals',
        ),
        (
            {"amount": "2.500"},
            'amount "2.500" is ambiguous: its dot may separate thousands or decimals',
        ),
        ({"amount": "2.500,00"}, 'amount "2.500,00" is not a decimal number such as 29.33'),
        ({"amount": "1\u2009000"}, 'amount "1\\u2009000" is not a decimal number such as 29.33'),
        ({"amount": "1'000"}, 'amount "1\'000" is not a decimal number such as 29.33'),
        ({"amount": "+5"}, 'amount "+5" is not a decimal number such as 29.33'),
        ({"amount": "-0"}, 'amount "-0" is not a decimal number such as 29.33'),
        ({"amount": "5%"}, 'amount "5%" is not a decimal number such as 29.33'),
        ({"amount": "\uff15"}, 'amount "\uff15" is not a decimal number such as 29.33'),
        (
            {"amount": Decimal("29.330000000000002")},
            'amount "29.330000000000002" must have at most 2 decimals in USD',
        ),
        ({"customer": Decimal("7.5")}, 'customer "7.5" is what a program writes instead of a name'),
        (
            {"customer": "1.23457E+12"},
            'customer "1.23457E+12" is what a program writes instead of a name',
        ),
        ({"customer": "nan"}, 'customer "nan" is what a program writes instead of a name'),
        ({"customer": "#REF!"}, 'customer "#REF!" is what a program writes instead of a name'),
        ({"customer": True}, "customer is neither text nor a number"),
        ({"currency": ""}, "currency is empty"),
        ({"amount": True}, "amount is neither text nor a number"),
        ({"amount": "-5"}, 'amount "-5" must not be negative in USD'),
        ({"amount": "0.005"}, 'amount "0.005" must have at most 2 decimals in USD'),
        ({"currency": "XXX"}, 'currency "XXX" is not an active ISO 4217 currency code'),
        ({"amount": "1.5", "currency": "JPY"}, 'amount "1.5" must have at most 0 decimals in JPY'),
    ],
)
def test_a_bad_cell_is_named_by_line_column_and_reason(
    cells: dict[str, Any], sentence: str
) -> None:
    good = {"customer": "ada", "quantity": "1", "amount": "5.00", "currency": "USD"}
    assert reason(**(good | cells)) == f"line 17: {sentence}"


def test_everything_wrong_with_a_row_is_said_at_once() -> None:
    said = reason(customer="", quantity="two", amount="x")
    assert said == (
        'line 17: customer is empty; quantity "two" is not a whole number; '
        'amount "x" is not a decimal number such as 29.33'
    )


def test_price_and_amount_must_agree() -> None:
    assert isinstance(read(customer="ada", qty="2", price="4.50", total="9"), PricedRow)
    said = reason(customer="ada", qty="2", price="4.99", total="9.00")
    assert said == "line 17: total 9.00 is not 2 times price 4.99, which is 9.98"


def test_consecutive_rows_of_one_order_are_its_lines(tmp_path: Path) -> None:
    text = (
        "order,customer,sku,quantity,price\n"
        "A1,ada,tea,2,4.50\nA1,ada,book,1,9.99\nA2,cy,tea,1,4.50\n"
    )
    first, second = orders(tmp_path, text)
    assert isinstance(first, NewOrder)
    assert (first.place, first.rows, first.total) == ("lines 2-3", 2, Decimal("18.99"))
    assert [line.sku for line in first.lines] == ["tea", "book"]
    assert isinstance(second, NewOrder)
    assert second.place == "line 4"


HEADINGS = "order,customer,quantity,price\n"
APART = "is in several places of the file: put its rows together"
BESIDE = "stands beside a row that does not say whose it is"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("1,ada,1,1\n2,bob,1,1\n1,ada,1,2\n", [(2, f'"1" {APART}'), 3, (4, f'"1" {APART}')]),
        ("1,ada,1,1\n,ada,1,2\n2,bob,1,1\n3,cy,1,1\n",
         [(2, f'"1" {BESIDE}'), (3, "order is empty"), (4, f'"2" {BESIDE}'), 5]),
        ('1,ada,1,1\n1,ada,"1"x,2\n2,bob,1,1\n3,cy,1,1\n',
         [(2, f'"1" {BESIDE}'), (3, "is not CSV"), (4, f'"2" {BESIDE}'), 5]),
        ("1,ada,two,1\n2,bob,1,1\n1,ada,1,2\n", [(2, "quantity"), 3, (4, f'"1" {APART}')]),
    ],
)  # fmt: skip
def test_an_order_that_may_not_be_whole_is_not_sent(
    tmp_path: Path, rows: str, said: list[int | tuple[int, str]]
) -> None:
    for item, expected in zip(orders(tmp_path, HEADINGS + rows), said, strict=True):
        if isinstance(expected, int):
            assert isinstance(item, NewOrder)
            assert item.place == f"line {expected}"
        else:
            assert isinstance(item, BadRow)
            assert (item.first, expected[1] in item.reason) == (expected[0], True), item


def test_a_json_order_that_comes_twice_is_not_two_orders_nor_one(tmp_path: Path) -> None:
    order = '{"order_id": 1, "customer": "ada", "lines": [{"sku": "a", "price": 1}]}\n'
    found = orders(tmp_path, order * 2)
    assert [APART in str(row) for row in found] == [True, True]


def test_a_total_beside_the_lines_of_an_order_is_the_price_of_none(tmp_path: Path) -> None:
    order = '{"customer": "ada", "total": 20, "lines": [{"sku": "a"}, {"sku": "b"}]}\n'
    assert ["total stands beside lines" in str(row) for row in orders(tmp_path, order)] == [
        True
    ] * 2


def test_a_heading_and_a_row_must_not_name_different_currencies(tmp_path: Path) -> None:
    good, bad = orders(tmp_path, "customer,price_usd,currency\nada,1,usd\nbob,1,EUR\n")
    assert isinstance(good, NewOrder)
    assert str(bad) == 'line 3: currency "EUR" is not USD, as a heading says'


def test_three_decimals_are_no_thousands_where_the_currency_has_them(tmp_path: Path) -> None:
    [order] = orders(tmp_path, "customer,price_kwd\nada,2.500\n")
    assert isinstance(order, NewOrder)
    assert order.total == Decimal("2.500")


def test_a_json_number_is_not_ambiguous(tmp_path: Path) -> None:
    [order] = orders(tmp_path, '{"customer": "ada", "quantity": 1.000, "price": 2.500}\n')
    assert isinstance(order, NewOrder)
    assert order.lines == (Line("item", 1, Decimal("2.50")),)


def test_an_order_with_a_bad_row_is_not_sent_in_part(tmp_path: Path) -> None:
    text = "order,customer,quantity,price\nA,ada,1,1\nA,ada,two,1\nB,bob,1,1\nB,cy,1,1\nC,dee,1,1\n"
    *bad, last = orders(tmp_path, text)
    assert [str(row) for row in bad] == [
        'line 3: quantity "two" is not a whole number',
        "line 2: not sent: line 3 of the same order is bad",
        'line 5: "cy", but line 4 of the same order says "bob"',
        "line 4: not sent: line 5 of the same order is bad",
    ]
    assert isinstance(last, NewOrder)


def test_an_order_of_too_many_rows_is_not_kept_in_memory(tmp_path: Path) -> None:
    rows = "A,ada,1\n" * (MAX_LINES + 1)
    *bad, last = orders(tmp_path, f"order,customer,amount\n{rows}B,bob,1\n")
    assert len(bad) == MAX_LINES + 1
    assert isinstance(last, NewOrder)


def test_a_json_order_with_lines_is_one_order(tmp_path: Path) -> None:
    text = (
        '{"customer_id": "ada", "currency": "KWD", "lines": ['
        '{"sku": "a", "quantity": 2, "unit_price": "0.125"}, {"sku": "b", "quantity": 1, "unit_price": 3}]}\n'
    )
    [order] = orders(tmp_path, text)
    assert isinstance(order, NewOrder)
    assert (order.place, order.currency, order.total) == ("line 1", "KWD", Decimal("3.250"))


def test_json_objects_have_the_members_of_the_first(tmp_path: Path) -> None:
    text = (
        '{"customer": "ada", "amount": 5, "at": "x"}\n{"customer": "bob", "amount": 2, "note": 1}\n'
        '{"customer": "cy", "amount": 2, "qty": 3}\n{"client": "dee", "amount": 2}\n'
    )
    _, second, *bad = orders(tmp_path, text)
    assert isinstance(second, NewOrder)
    assert [str(row) for row in bad] == [
        'line 3: has "qty", which the first object has not',
        'line 4: has "client", which the first object has not; customer is empty',
    ]


def test_columns_can_be_named_by_the_user(tmp_path: Path) -> None:
    [order] = orders(tmp_path, "buyer_no,amount_eur\n7,5\n", customer="buyer_no")
    assert isinstance(order, NewOrder)
    assert (order.customer_id, order.currency) == ("7", "EUR")


def test_column_names_alone_are_no_orders(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="has column names but no rows"):
        orders(tmp_path, "customer,amount\n")
