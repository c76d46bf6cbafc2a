"""What a report may be asked about, and how a job is shown."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from producers.reports.jobs import Asked
from producers.reports.v2 import to_asked
from schemas.rest.reports.v2 import MakeReport

NOVEMBER = {"from": "2026-11-01", "to": "2026-12-01"}


def test_a_report_of_a_month_has_its_days_and_not_the_one_after() -> None:
    asked = to_asked(MakeReport.model_validate(NOVEMBER))
    assert (asked.first_day, asked.days, asked.format) == (date(2026, 11, 1), 30, "csv")
    assert asked.day(asked.days - 1) == date(2026, 11, 30)


def test_what_is_named_twice_is_asked_once_and_comes_back_from_the_row_as_it_was() -> None:
    named = {"currencies": ["EUR", "JPY", "EUR"], "skus": ["=1+1", "büch", "=1+1"]}
    asked = to_asked(MakeReport.model_validate(NOVEMBER | named | {"format": "parquet"}))
    assert (asked.currencies, asked.skus) == (("EUR", "JPY"), ("=1+1", "büch"))
    assert Asked.from_json(asked.to_json()) == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"from": "0001-01-01", "to": "0001-01-02"},
        {"from": "9999-12-30", "to": "9999-12-31"},
        {"from": "2026-11-28", "to": "2027-11-29"},
    ],
)
def test_the_ends_of_what_can_be_asked(changes: dict[str, str]) -> None:
    asked = to_asked(MakeReport.model_validate(changes))
    assert asked.day(asked.days - 1) < asked.day(asked.days)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"to": "2026-11-01"}, ()),
        ({"to": "2026-10-31"}, ()),
        ({"to": "2027-11-03"}, ()),
        ({"from": "2026-02-30"}, ("from",)),
        ({"from": "20261101"}, ("from",)),
        ({"from": "2026-W44-7"}, ("from",)),
        ({"from": "2026-11-01T00:00:00Z"}, ("from",)),
        ({"from": "２０２６-11-01"}, ("from",)),  # noqa: RUF001 - full-width digits are the point
        ({"from": 1793491200}, ("from",)),
        ({"from": None}, ("from",)),
        ({"format": "xlsx"}, ("format",)),
        ({"currencies": ["eur"]}, ("currencies", 0)),
        ({"currencies": "EUR"}, ("currencies",)),
        ({"skus": [""]}, ("skus", 0)),
        ({"skus": ["a\nb"]}, ("skus", 0)),
        ({"skus": [str(number) for number in range(21)]}, ("skus",)),
        ({"from_": "2026-11-01"}, ("from_",)),
        ({"until": "2026-12-01"}, ("until",)),
    ],
)
def test_what_cannot_be_asked(changes: dict[str, Any], where: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        MakeReport.model_validate(NOVEMBER | changes)
    assert [each["loc"] for each in refused.value.errors()] == [where]
