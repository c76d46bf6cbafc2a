"""Two versions of one order, side by side in the running system, and the tax on its way to those who need it."""

from typing import Any

import httpx2
import psycopg

from infra.settings import REPOSITORY, Publisher
from schemas.gate.openapi.document import canonical
from schemas.rest.orders import V1, V2
from tests import plain_http
from tests.kafka import records_of
from tests.orders import place, wait_until_decided
from tests.stack import RunningStack

PUBLISHERS: tuple[Publisher, ...] = (
    "cdc",
)  # whoever publishes, records are the same: tests/integration/test_records.py
LINES = [
    {"sku": "book", "quantity": 3, "unit_price": "9.99", "tax_rate": "0.07"},
    {"sku": "lamp", "quantity": 1, "unit_price": "20.00", "tax_rate": "0.19"},
]
BODY = {"customer_id": "ada", "currency": "EUR", "lines": LINES}


def ask(stack: RunningStack, method: str, path: str, **request: Any) -> httpx2.Response:
    return plain_http.request(method, stack.settings.url_of("storefront") + path, **request)


def test_an_order_with_tax_is_paid_in_full_and_reads_in_both_versions(stack: RunningStack) -> None:
    answer = ask(stack, "POST", "/v2/orders", json=BODY)
    assert answer.status_code == 201
    assert "deprecation" not in answer.headers
    order = answer.json()
    assert (order["net"], order["tax"], order["total"]) == ("49.97", "5.90", "55.87")
    order_id = order["order_id"]
    assert wait_until_decided(stack, [order_id]) == {"confirmed": 1}

    old = ask(stack, "GET", f"/v1/orders/{order_id}")
    assert old.headers["deprecation"].startswith("@")
    assert old.headers["sunset"].endswith("GMT")
    assert old.headers["link"] == f'</v2/orders/{order_id}>; rel="successor-version"'
    assert old.json()["total"] == "55.87"
    assert [(line["quantity"], line["unit_price"]) for line in old.json()["lines"]] == [
        (3, "10.69"),
        (1, "23.80"),
    ]

    with psycopg.connect(stack.database_url("tailrace_owner")) as connection:
        query = "select amount::text from payments.payment where order_id = %s"
        assert connection.execute(query, [order_id]).fetchone() == ("55.8700",)


def test_the_event_tells_the_tax_of_each_line(stack: RunningStack) -> None:
    order_id = ask(stack, "POST", "/v2/orders", json=BODY).json()["order_id"]
    with psycopg.connect(stack.database_url("orders")) as connection:
        row = connection.execute(
            "select id from outbox where aggregate_id = %s and aggregate_version = 1", [order_id]
        ).fetchone()
    assert row is not None
    records_of(stack, "order.events", until=row[0])
    printed = stack.cli("topics", "tail", "order.events", "--key", order_id, "--json").stdout
    assert '"tax_rate": "0.190000"' in printed
    assert '"tax": "3.8000"' in printed


def test_accept_chooses_between_the_versions(stack: RunningStack) -> None:
    order_id = place(stack)["order_id"]
    wait_until_decided(stack, [order_id])
    path = f"/orders/{order_id}"
    for version in (V1, V2):
        answer = ask(stack, "GET", path, headers={"accept": version.media_type})
        assert answer.headers["content-type"] == version.media_type
        assert answer.headers["vary"] == "Accept"
        assert answer.json() == ask(stack, "GET", version.prefix + path).json()
    newest = ask(stack, "GET", path)
    assert newest.json()["lines"][0]["tax_rate"] == "0"
    refused = ask(stack, "GET", path, headers={"accept": "text/html"})
    assert refused.status_code == 406
    assert refused.headers["content-type"] == "application/problem+json"


def test_the_running_service_describes_itself_as_committed(stack: RunningStack) -> None:
    committed = REPOSITORY / "schemas/rest/openapi/storefront.json"
    assert canonical(ask(stack, "GET", "/openapi.json").json()) == committed.read_text()
