"""Asks for a report of sales as any client would, and holds what it says of a run against what is known of that."""

import asyncio
import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import urljoin

import httpx2
import psycopg
from pydantic import ValidationError

from cdc.ids import new_id
from cdc.kafka import TopicError
from infra.demo.asking import Asker, NoAnswer, explain
from infra.demo.ledger import Sums
from infra.demo.orders import DemoError
from infra.deployment import Deployment
from infra.operations.lag import open_lags
from schemas.rest.reports.v2 import Job

WORKER = "reports-worker"
WAIT_S = 5
UNFINISHED = frozenset({"queued", "running"})
LOOK_EVERY_S = 0.2


Sales = Mapping[str, Sums]  # by currency, none of which nothing is


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it was downloaded."""

    sales: Sales
    rows: int
    bytes: int


def added(before: Sales, after: Sales) -> Sales:
    """Return what has happened between two reports of the same days."""
    found = {code: sums + -before.get(code, Sums()) for code, sums in after.items()}
    return {code: sums for code, sums in found.items() if sums != Sums()}


class SalesReports:
    """Has reports made about the days of a run.

    Args:
        asker: Asks reports.
        deployment: Where the positions of its worker are.
        url: Address of reports.
        first_day: The day on which the run begins, by UTC.
    """

    def __init__(self, asker: Asker, deployment: Deployment, url: str, first_day: date) -> None:
        self._asker = asker
        self._deployment = deployment
        self._url = url
        # a run may end on the day after
        self._asked = {"from": first_day.isoformat(), "to": str(first_day + timedelta(days=2))}

    async def make(self, *, timeout_s: float) -> Report:
        """Have a report made of all that has been told so far, and download it.

        Raises:
            DemoError: there is none.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._until_all_is_read()
                return await self._made()
        except TimeoutError:
            raise DemoError(
                f"No report of sales was made within {timeout_s:g} s; see `tailrace lag {WORKER}`."
            ) from None

    async def _until_all_is_read(self) -> None:
        while await asyncio.to_thread(self._behind):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(LOOK_EVERY_S)

    def _behind(self) -> bool:
        try:
            with open_lags(self._deployment) as lags:
                return any(each.messages for each in lags.measure([WORKER]))
        except (psycopg.Error, TopicError):  # what was killed may just be coming back
            return True

    async def _made(self) -> Report:
        headers = {"content-type": "application/json", "idempotency-key": f'"{new_id()}"'}
        response = await self._ask("POST", "/v2/reports", 202, self._asked, headers)
        job_url = urljoin(self._url, response.headers["location"])
        job = _job(response)
        while job.status in UNFINISHED:
            job = _job(await self._ask("GET", job_url, 200, headers={"prefer": f"wait={WAIT_S}"}))
        if job.result is None:
            told = job.problem.detail if job.problem else f"it is {job.status}"
            raise DemoError(f"No report of sales was made: {told}.")
        response = await self._ask("GET", urljoin(self._url, job.result.url), 200)
        return read_report(response.content)

    async def _ask(
        self,
        method: str,
        place: str,
        status: int,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        content = None if body is None else json.dumps(body).encode()
        url = urljoin(self._url, place)
        match await self._asker.ask(method, url, content=content, headers=headers):
            case NoAnswer(reason):
                raise DemoError(f"No report of sales was made: reports gave {reason}.")
            case response if response.status_code == status:
                return response
            case response:
                raise DemoError(f"No report of sales was made: reports {explain(response)}.")


def read_report(content: bytes) -> Report:
    """Read the CSV of a report.

    Raises:
        DemoError: it is none.
    """
    sales: dict[str, Sums] = {}
    rows = 0
    try:
        for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
            rows += 1
            code = row["currency"]
            sales[code] = sales.get(code, Sums()) + Sums(
                int(row["orders_placed"]),
                int(row["orders_confirmed"]),
                int(row["orders_cancelled"]),
                Decimal(row["revenue"]),
            )
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise DemoError(f"The report of sales cannot be read: {error!r}.") from error
    return Report(sales, rows, len(content))


def _job(response: httpx2.Response) -> Job:
    try:
        return Job.model_validate_json(response.content)
    except ValidationError:
        raise DemoError("No report of sales was made: what reports answered is no job.") from None
