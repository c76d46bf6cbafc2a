"""Versions side by side at the storefront: by path, by `Accept` and by the body's type."""

import json
from collections.abc import Callable

import httpx2
import pytest

from schemas.rest.orders import ORDER_DECIDED, V1, V2
from tests.answers import assert_problem, http
from tests.bad_requests import LINE, ORDER

Ask = Callable[..., httpx2.Response]
Open = Callable[..., Ask]
Recording = Callable[[bytes | None], tuple[str, list[bytes]]]
Answering = Callable[[bytes | None], str]

ORDER_ID = "0198c0de-0000-7000-8000-000000000001"
JSON, ONE, TWO = "application/json", V1.media_type, V2.media_type
COMMON = {
    "order_id": ORDER_ID,
    "status": "pending",
    "placed_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "version": 1,
}
TAXED = {**LINE, "tax_rate": "0.19"}
BODIES = {1: ORDER, 2: {**ORDER, "lines": [TAXED]}}
ANSWERS = {
    1: {**ORDER, **COMMON, "total": "11.89", "lines": [{**LINE, "unit_price": "11.89"}]},
    2: {
        **ORDER,
        **COMMON,
        "lines": [{**TAXED, "tax": "1.90", "digital": False}],
        "fulfilment": "choreography",
        "net": "9.99",
        "tax": "1.90",
        "total": "11.89",
    },
}


def answer_of(number: int, status: int = 201) -> bytes:
    return http(status, json.dumps(ANSWERS[number]).encode(), JSON)


@pytest.mark.parametrize(
    ("path", "headers", "number", "media_type"),
    [
        ("/v1/orders", {}, 1, JSON),
        ("/v1/orders", {"accept": "text/html"}, 1, JSON),
        ("/v1/orders", {"accept": ONE}, 1, ONE),
        ("/v1/orders", {"content-type": ONE}, 1, JSON),
        ("/v2/orders", {}, 2, JSON),
        ("/v2/orders", {"accept": f"{TWO}, */*"}, 2, JSON),
        ("/v2/orders", {"accept": TWO}, 2, TWO),
        ("/orders", {}, 2, TWO),
        ("/orders", {"accept": JSON}, 2, JSON),
        ("/orders", {"accept": TWO}, 2, TWO),
        ("/orders", {"accept": ONE}, 1, ONE),
        ("/orders", {"content-type": ONE}, 1, ONE),
        ("/orders", {"content-type": ONE, "accept": JSON}, 1, JSON),
        ("/orders", {"content-type": f"{TWO}; charset=utf-8"}, 2, TWO),
    ],
)
def test_an_order_is_placed_in_the_version_asked_for(
    storefront: Open,
    recording: Recording,
    path: str,
    headers: dict[str, str],
    number: int,
    media_type: str,
) -> None:
    url, received = recording(answer_of(number))
    body = json.dumps(BODIES[number])
    response = storefront(url)("POST", path, content=body, headers={"content-type": JSON} | headers)
    assert response.status_code == 201, response.text
    assert response.headers["content-type"] == media_type
    assert response.headers["location"] == f"{path}/{ORDER_ID}"
    assert response.headers["vary"] == "Accept"
    assert ("tax" in response.json()) == (number == 2)
    assert received[0].decode().startswith(f"POST /v{number}/orders ")


@pytest.mark.parametrize(
    ("path", "accept", "number"),
    [("/v1", "*/*", 1), ("/v2", "*/*", 2), ("", "*/*", 2), ("", ONE, 1), ("", TWO, 2)],
)
def test_an_order_is_shown_in_the_version_asked_for(
    storefront: Open, recording: Recording, path: str, accept: str, number: int
) -> None:
    url, received = recording(answer_of(number, 200))
    answer = storefront(url)("GET", f"{path}/orders/{ORDER_ID}", headers={"accept": accept})
    assert answer.json() == ANSWERS[number]
    assert received[0].decode().startswith(f"GET /v{number}/orders/{ORDER_ID} ")


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [
        ("GET", f"/orders/{ORDER_ID}", "text/html"),
        ("GET", f"/orders/{ORDER_ID}", "application/vnd.tailrace.v3+json"),
        ("POST", "/orders", "application/xml"),
        ("GET", f"/v1/orders/{ORDER_ID}", TWO),
        ("POST", "/v2/orders", ONE),
    ],
)
def test_what_cannot_be_had_is_406(
    lonely_storefront: Ask, method: str, path: str, accept: str
) -> None:
    response = lonely_storefront(method, path, headers={"accept": accept})
    assert "ask for" in str(assert_problem(response, 406)["detail"])
    assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/v1/orders", TWO), ("/v2/orders", ONE), ("/orders", "application/vnd.tailrace.v3+json")],
)
def test_a_body_of_another_version_is_415(
    lonely_storefront: Ask, path: str, content_type: str
) -> None:
    headers = {"content-type": content_type}
    response = lonely_storefront("POST", path, content=b"{}", headers=headers)
    assert_problem(response, 415)
    assert JSON in response.headers["accept"]


def test_a_body_and_an_answer_of_two_versions_is_406(lonely_storefront: Ask) -> None:
    headers = {"content-type": ONE, "accept": TWO}
    assert_problem(lonely_storefront("POST", "/orders", content=b"{}", headers=headers), 406)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/v1/orders", {}, 400),
        ("GET", "/v1/orders/not-an-id", {}, 404),
        ("GET", f"/v1/orders/{ORDER_ID}", {}, 503),
        ("GET", f"/orders/{ORDER_ID}", {"accept": ONE}, 503),
    ],
)
def test_version_1_announces_its_end_in_every_answer(
    lonely_storefront: Ask, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = lonely_storefront(method, path, headers=headers)
    assert_problem(response, status)
    assert response.headers["deprecation"].startswith("@")
    assert response.headers["sunset"].endswith(" GMT")
    rest = path.removeprefix("/v1")
    assert response.headers["link"] == f'</v2{rest}>; rel="successor-version"'


@pytest.mark.parametrize("path", ["/v2/orders/x", "/orders/x", "/health", "/"])
def test_nothing_else_is_about_to_end(lonely_storefront: Ask, path: str) -> None:
    assert not {"deprecation", "sunset", "link"} & set(lonely_storefront("GET", path).headers)


@pytest.mark.parametrize("path", ["/v3/orders", "/v/orders", "/orders/", f"/v1/orders/{ORDER_ID}/"])
def test_there_is_no_other_version(lonely_storefront: Ask, path: str) -> None:
    assert_problem(lonely_storefront("POST", path), 404)


def test_a_path_without_a_version_knows_its_methods(lonely_storefront: Ask) -> None:
    response = lonely_storefront("DELETE", f"/orders/{ORDER_ID}")
    assert_problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


def test_a_cancellation_is_passed_on_and_a_refusal_comes_back(
    storefront: Open, answering: Answering
) -> None:
    path = f"/v2/orders/{ORDER_ID}/cancel"
    cancelled = json.dumps(
        ANSWERS[2] | {"status": "cancelled", "cancel_reason": "customer_request"}
    )
    url = answering(http(200, cancelled.encode(), "application/json"))
    answer = storefront(url)("POST", path)
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    problem = {"type": ORDER_DECIDED.uri, "title": ORDER_DECIDED.title, "status": 409}
    refusal = json.dumps(problem | {"detail": "order 1 is confirmed"}).encode()
    url = answering(http(409, refusal, "application/problem+json"))
    told = assert_problem(storefront(url)("POST", path), 409)
    assert (told["type"], told["detail"]) == (ORDER_DECIDED.uri, "order 1 is confirmed")
