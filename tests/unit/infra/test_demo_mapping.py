"""Which column of a file means what."""

import pytest

from infra.demo.mapping import MappingError, explain, resolve
from infra.demo.orders import DemoError


def test_headings_of_many_kinds_speak_for_themselves() -> None:
    for customer in ("customer", "Customer ID", "customerId", "CLIENT_ID", "buyer"):
        for amount in ("amount", "Total", "line_total"):
            found = resolve([customer, amount], {})
            assert found.of == {"customer": customer, "amount": amount}
    retail = ["InvoiceNo", "StockCode", "Description", "Quantity", "UnitPrice", "CustomerID"]
    found = resolve(retail, {})
    assert found.of == {
        "customer": "CustomerID",
        "order": "InvoiceNo",
        "sku": "StockCode",
        "quantity": "Quantity",
        "unit_price": "UnitPrice",
    }
    assert found.unused == ("Description",)


@pytest.mark.parametrize(
    ("heading", "currency"),
    [
        ("amount_usd", "USD"),
        ("Amount (JPY)", "JPY"),
        ("totalEUR", "EUR"),
        ("price_kwd", "KWD"),
        ("unit price EUR", "EUR"),
        ("amount", None),
        ("unit price", None),
    ],
)
def test_a_money_heading_may_name_the_currency(heading: str, currency: str | None) -> None:
    found = resolve(["customer", heading], {})
    assert found.heading == currency
    assert found.currency == (currency or "USD")
    assert heading in found.of.values()


def test_a_suffix_that_is_no_currency_makes_a_heading_unknown() -> None:
    with pytest.raises(DemoError, match="a unit_price or an amount"):
        resolve(["customer", "amount_xyz"], {})


@pytest.mark.parametrize(
    "heading", ["Total all", "Price top", "price_try", "Amount (BHD)", "Price ($)"]
)
def test_no_currency_is_guessed_from_words(heading: str) -> None:
    with pytest.raises(DemoError, match="No column is a unit_price or an amount"):
        resolve(["customer", heading], {})
    with pytest.raises(DemoError, match="may name a currency"):
        resolve(["customer", heading], {"amount": heading})
    assert resolve(["customer", heading], {"amount": heading}, "EUR").currency == "EUR"


def test_a_heading_and_the_user_must_not_name_different_currencies() -> None:
    with pytest.raises(MappingError, match="--currency EUR is not what column amount_usd says"):
        resolve(["customer", "amount_usd"], {}, "EUR")


@pytest.mark.parametrize(
    "columns",
    [
        ["client", "total", "amount"],
        ["customer", "Customer ID", "price"],
        ["customer", "Quantity", "quantity", "price"],
        ["customer", "price EUR", "price USD"],
    ],
)
def test_two_columns_of_one_meaning_are_ambiguous(columns: list[str]) -> None:
    with pytest.raises(DemoError, match=r"may both be the .* --map .*=COLUMN"):
        resolve(columns, {})


def test_a_total_may_be_that_of_the_order() -> None:
    with pytest.raises(DemoError, match='say --map "amount=Total EUR"'):
        resolve(["order", "customer", "Total EUR"], {})
    assert resolve(["order", "customer", "total"], {"amount": "total"}).of["amount"] == "total"
    assert resolve(["order", "customer", "price", "total"], {}).of["amount"] == "total"


def test_one_column_has_one_meaning() -> None:
    with pytest.raises(MappingError, match="--map gives column a two meanings"):
        resolve(["a", "price"], {"customer": "a", "sku": "a"})


def test_the_user_knows_better() -> None:
    columns = ["buyer_no", "customer", "amount", "what"]
    found = resolve(columns, {"customer": "buyer_no", "sku": "what"})
    assert found.of == {"customer": "buyer_no", "sku": "what", "amount": "amount"}
    assert found.unused == ("customer",)


def test_the_user_can_leave_a_column_out() -> None:
    found = resolve(["customer", "price", "total"], {"amount": ""})
    assert found.of == {"customer": "customer", "unit_price": "price"}


def test_a_column_named_by_the_user_must_exist() -> None:
    with pytest.raises(MappingError, match="--map customer=nobody names no column; there are a, b"):
        resolve(["a", "b"], {"customer": "nobody"})


def test_what_is_missing_is_said() -> None:
    with pytest.raises(DemoError, match="No column is a customer and none is a unit_price"):
        resolve(["a", "b"], {})
    with pytest.raises(DemoError, match="No column is a customer; there are amount"):
        resolve(["amount"], {})


def test_two_currencies_in_the_headings_are_a_contradiction() -> None:
    with pytest.raises(DemoError, match="different currencies"):
        resolve(["customer", "price_eur", "amount_usd"], {})


def test_everything_is_said_aloud() -> None:
    columns = resolve(["customer_id", "date", "quantity", "amount_usd"], {})
    said = explain(columns)
    assert "customer   from customer_id" in said
    assert "amount     from amount_usd" in said
    assert "currency   USD, named by the heading" in said
    assert 'sku        no column: every line is "item"' in said
    assert "not used   date" in said
