"""No bad request leaves a trace: each gets its problem from the running system, and no row anywhere."""

import httpx2
import psycopg
import pytest

from infra.settings import Publisher
from tests.bad_requests import BAD_REQUESTS
from tests.stack import RunningStack

PUBLISHERS: tuple[Publisher, ...] = ("cdc",)  # nothing is published
# Events of earlier tests' orders may still come in; only a bad request could add an order.
COUNT = """
select (select count(*) from customer_order),
       (select count(*) from outbox where type = 'orders.OrderCreated')
"""


@pytest.mark.parametrize("service", ["storefront", "orders"])
def test_bad_requests_are_problems_and_leave_no_row(stack: RunningStack, service: str) -> None:
    settings = stack.settings
    url = settings.url_of(service)
    with (
        psycopg.connect(stack.database_url("orders"), autocommit=True) as connection,
        httpx2.Client(base_url=url, trust_env=False) as client,
    ):
        before = connection.execute(COUNT).fetchone()
        for bad in BAD_REQUESTS:
            answer = client.post(bad.path, content=bad.body, headers=bad.headers)
            assert answer.status_code == bad.status, bad.name
            assert answer.headers["content-type"] == "application/problem+json", bad.name
            errors = answer.json().get("errors", [])
            assert tuple(error["pointer"] for error in errors) == bad.pointers, bad.name
        assert connection.execute(COUNT).fetchone() == before
