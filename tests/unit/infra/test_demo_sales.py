"""A report of sales is waited for whatever was killed meanwhile."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from cdc.kafka import TopicError
from infra.demo import sales
from infra.demo.asking import NoAnswer
from infra.demo.orders import DemoError
from infra.demo.sales import SalesReports


@pytest.mark.parametrize("error", [TopicError("down"), psycopg.OperationalError("down")])
def test_servers_that_are_just_coming_back_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    answers: Iterator[Any] = iter([error, []])

    def measure(_consumers: object) -> Any:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    @contextmanager
    def lags(_deployment: object) -> Iterator[Any]:
        yield SimpleNamespace(measure=measure)

    async def ask(*_: object, **__: object) -> NoAnswer:
        return NoAnswer("nothing", may_be_done=False)

    monkeypatch.setattr(sales, "open_lags", lags)
    monkeypatch.setattr(sales, "LOOK_EVERY_S", 0.01)
    asker: Any = SimpleNamespace(ask=ask)
    deployment: Any = None
    reports = SalesReports(asker, deployment, "http://reports", date(2026, 1, 1))
    with pytest.raises(DemoError, match="reports gave nothing"):
        asyncio.run(reports.make(timeout_s=30))
    assert next(answers, None) is None
