"""Tax: rounded once on each line, exact in sums, and the same money in every version."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.orders import v1, v2
from producers.orders.domain import InvalidOrderError, Order, PlaceOrder
from schemas.contracts import avsc
from schemas.messages.orders import OrderCreated, OrderLine
from schemas.money.amounts import LIMIT, MoneyError, minor_unit
from schemas.money.currencies import MINOR_UNIT_DECIMALS
from schemas.money.tax import RateError, gross, rate, tax

CURRENCIES = st.sampled_from(sorted(MINOR_UNIT_DECIMALS))
SCHEMA = fastavro.parse_schema(avsc(OrderCreated.NAME))
RATES = st.decimals(0, 1, places=6) | st.sampled_from(
    [Decimal(text) for text in ("0", "0.07", "0.19", "0.25", "0.08875", "1")]
)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    currency = draw(CURRENCIES)
    prices = st.decimals(0, 10**6, places=MINOR_UNIT_DECIMALS[currency])
    lines = st.builds(
        OrderLine,
        sku=st.sampled_from("abc"),
        quantity=st.integers(1, 10**6),
        unit_price=prices,
        tax_rate=st.none() | RATES,
    )
    command = PlaceOrder(
        customer_id="ada",
        currency=currency,
        lines=tuple(draw(st.lists(lines, min_size=1, max_size=10))),
    )
    return Order.begin(Order.place(command, order_id=UUID(int=1), at=datetime.now(UTC)))


def units(value: Decimal, currency: str) -> int:
    """An amount as a whole number of minor units; it has to be one."""
    whole = Fraction(value) / Fraction(minor_unit(currency))
    assert whole.denominator == 1
    return whole.numerator


@given(st.integers(1, 10**6), st.decimals(0, 10**6, places=2), RATES, CURRENCIES)
def test_the_tax_of_a_line_is_the_nearest_minor_unit_the_higher_of_two(
    quantity: int, unit_price: Decimal, tax_rate: Decimal, currency: str
) -> None:
    exact = quantity * Fraction(unit_price) * Fraction(tax_rate) / Fraction(minor_unit(currency))
    rounded = units(tax(quantity, unit_price, tax_rate, currency), currency)
    assert Fraction(-1, 2) < rounded - exact <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("quantity", "unit_price", "tax_rate", "currency", "expected"),
    [
        (1, "9.99", "0.19", "EUR", "1.90"),
        (3, "9.99", "0.07", "EUR", "2.10"),
        (1, "0.50", "0.05", "EUR", "0.03"),
        (1, "0.10", "0.05", "EUR", "0.01"),
        (1, "105", "0.10", "JPY", "11"),
        (1, "104", "0.10", "JPY", "10"),
        (1, "1.001", "0.5", "KWD", "0.501"),
        (1, "100.00", "0.08875", "USD", "8.88"),
        (1, "7.00", "0", "EUR", "0.00"),
    ],
)
def test_tax_is_rounded_half_up(
    quantity: int, unit_price: str, tax_rate: str, currency: str, expected: str
) -> None:
    line_tax = tax(quantity, Decimal(unit_price), Decimal(tax_rate), currency)
    assert str(line_tax) == expected


@given(orders())
def test_net_and_tax_are_the_total_and_the_sums_of_the_lines(order: Order) -> None:
    shown = v2.to_resource(order)
    assert shown.net + shown.tax == shown.total == order.total
    assert shown.tax == sum(line.tax for line in shown.lines)
    assert shown.net == sum(line.quantity * line.unit_price for line in shown.lines)
    for line in shown.lines:
        expected = tax(line.quantity, line.unit_price, line.tax_rate, order.currency)
        assert line.tax == expected


@given(orders())
def test_version_1_shows_lines_that_come_to_what_the_customer_pays(order: Order) -> None:
    shown = v1.to_resource(order)
    assert sum(line.quantity * line.unit_price for line in shown.lines) == order.total
    assert shown.total == order.total
    for sku in "abc":
        ordered = sum(line.quantity for line in order.lines if line.sku == sku)
        assert sum(line.quantity for line in shown.lines if line.sku == sku) == ordered


@given(orders())
def test_a_line_is_shown_as_at_most_two_a_minor_unit_apart(order: Order) -> None:
    for line in order.lines:
        first, *rest = v1.with_tax(line, order.currency)
        prices = [units(shown.unit_price, order.currency) for shown in (first, *rest)]
        assert prices in ([prices[0]], [prices[0], prices[0] + 1])


@given(orders())
def test_the_event_tells_the_tax(order: Order) -> None:
    event = OrderCreated(
        order_id=order.order_id,
        customer_id=order.customer_id,
        currency=order.currency,
        lines=order.lines,
        total=order.total,
        placed_at=order.placed_at,
    )
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, SCHEMA, event.to_avro(), strict=True)
    buffer.seek(0)
    told = fastavro.schemaless_reader(buffer, SCHEMA, None)
    assert isinstance(told, dict)
    assert Order.begin(OrderCreated.from_avro(told)).lines == order.lines


def test_an_order_without_a_word_of_tax_reads_as_taxed_at_nothing() -> None:
    line = OrderLine(sku="book", quantity=2, unit_price=Decimal("12.50"))
    command = PlaceOrder(customer_id="ada", currency="EUR", lines=(line,))
    created = Order.place(command, order_id=UUID(int=1), at=datetime.now(UTC))
    assert created.lines == (line,)
    shown = v2.to_resource(Order.begin(created))
    assert shown.model_dump(mode="json", include={"lines", "net", "tax", "total"}) == {
        "lines": [
            {
                "sku": "book",
                "quantity": 2,
                "unit_price": "12.50",
                "tax_rate": "0",
                "tax": "0.00",
                "digital": False,
            }
        ],
        "net": "25.00",
        "tax": "0.00",
        "total": "25.00",
    }


def test_tax_is_reckoned_never_believed() -> None:
    line = OrderLine(sku="x", quantity=1, unit_price=Decimal(1), tax_rate=None, tax=Decimal(5))
    command = PlaceOrder(customer_id="ada", currency="EUR", lines=(line,))
    created = Order.place(command, order_id=UUID(int=1), at=datetime.now(UTC))
    assert (created.total, created.lines[0].tax) == (Decimal(1), None)


@pytest.mark.parametrize("tax_rate", ["-0.01", "1.01", "NaN", "Infinity", "0.0000001"])
def test_an_impossible_rate_is_refused(tax_rate: str) -> None:
    with pytest.raises(RateError):
        rate(Decimal(tax_rate))
    line = OrderLine(sku="x", quantity=1, unit_price=Decimal(1), tax_rate=Decimal(tax_rate))
    command = PlaceOrder(customer_id="ada", currency="EUR", lines=(line,))
    with pytest.raises(InvalidOrderError, match="tax rate of x must"):
        Order.place(command, order_id=UUID(int=1), at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("value", "printed"),
    [("0.190000", "0.19"), ("0.000001", "0.000001"), ("1.0", "1"), ("0E-9", "0"), ("-0", "0")],
)
def test_a_rate_prints_without_zeros_at_its_end(value: str, printed: str) -> None:
    assert str(rate(Decimal(value))) == printed


def test_tax_counts_towards_the_limit() -> None:
    line = (10**6, LIMIT / 10**6 / 2, Decimal(1))
    with pytest.raises(MoneyError, match="with tax must be below"):
        gross([line], "EUR")
    assert gross([(*line[:2], Decimal("0.9"))], "EUR") == LIMIT / 20 * 19
