"""The rows of a report: what they say, and how they are worked out of the sales of one day."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from producers.reports.jobs import Asked
from tailrace import Connection, load_queries

QUERIES = load_queries(__package__)
ONE_DAY = timedelta(days=1)
DECIMALS = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row, in the order of its columns, each value as it is written into JSON."""

    day: str
    currency: str
    sku: str | None
    orders_placed: int
    orders_confirmed: int
    orders_cancelled: int
    cancelled_by_reason: str
    revenue: str
    refunds: str

    @classmethod
    def of(cls, day: date, found: dict[str, Any]) -> "Row":
        return cls(
            day=day.isoformat(),
            currency=found["currency"],
            sku=found["sku"],
            orders_placed=int(found["placed"] or 0),
            orders_confirmed=int(found["confirmed"] or 0),
            orders_cancelled=int(found["cancelled"] or 0),
            cancelled_by_reason=json.dumps(
                found["reasons"] or {}, sort_keys=True, ensure_ascii=False
            ),
            revenue=_amount(found["revenue"]),
            refunds=_amount(found["refunds"]),
        )

    def to_line(self) -> bytes:
        """Return the row as a line of JSON.

        Characters stand for themselves: escaped as surrogates, arrow-json reads some of them as others.
        """
        return json.dumps(asdict(self), ensure_ascii=False).encode() + b"\n"


async def rows_of_day(connection: Connection, asked: Asked, number: int) -> bytes:
    """Return the rows of a day as JSON lines.

    They are few, however many orders there were: Postgres adds these up, and nobody else sees them.
    """
    day = asked.day(number)
    begin = datetime.combine(day, time.min, UTC)
    values = {
        "begin": begin,
        "end": begin + ONE_DAY,
        "currencies": list(asked.currencies),
        "skus": list(asked.skus),
    }
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES["of_day_by_sku" if asked.skus else "of_day"], values)
        return b"".join([Row.of(day, each).to_line() async for each in cursor])


def _amount(value: Decimal | None) -> str:
    return str((value or Decimal(0)).quantize(DECIMALS))
